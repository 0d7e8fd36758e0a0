import { computed, onScopeDispose, ref, shallowRef, watch, type ComputedRef, type Ref } from "vue";

import { ApiError } from "@/api/client";
import { cancelPayment, readPayment, refreshPayment } from "@/api/payments";
import type { Payment } from "@/api/types";
import { asksGateway, isOpen, nextLook, stageOf, type Stage } from "@/lib/pay";

export interface WatchedPayment {
  payment: Ref<Payment>;
  stage: ComputedRef<Stage>;
  busy: Ref<boolean>;
  /** What the last question or act was refused with; "" when it was not. */
  problem: Ref<string>;
  /** True once the page has stopped asking by itself. */
  tired: Ref<boolean>;
  look: () => Promise<void>;
  cancel: () => Promise<void>;
}

/**
 * Follows one payment: asks for its state, ever more seldom, as long as it is open and the page is there. A question that gets no answer
 * is asked again. `changed` hears of every new stage that was found here, not of what `given` itself brings.
 */
export function useWatchedPayment(given: () => Payment, changed: (payment: Payment) => void): WatchedPayment {
  const payment = shallowRef(given());
  const busy = ref(false);
  const problem = ref("");
  const tired = ref(false);
  const stage = computed(() => stageOf(payment.value));
  let turn = 0;
  let timer: number | undefined;
  let gone = false;

  function take(found: Payment): void {
    if (gone) return;
    const before = stage.value;
    payment.value = found;
    if (stage.value !== before) changed(found);
  }

  function schedule(): void {
    window.clearTimeout(timer);
    const wait = isOpen(payment.value) && !gone ? nextLook(turn) : null;
    tired.value = wait === null && isOpen(payment.value);
    if (wait !== null) timer = window.setTimeout(() => void ask(), wait);
  }

  async function ask(): Promise<void> {
    const id = payment.value.id;
    // While nobody looks at the page nothing is asked: it goes on when they are back.
    if (document.hidden) {
      schedule();
      return;
    }
    try {
      take(await (asksGateway(turn) ? refreshPayment(id) : readPayment(id)));
      problem.value = "";
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      problem.value = cause.status === 0 ? "The connection is gone. This page keeps asking." : cause.message;
    }
    turn++;
    schedule();
  }

  async function act(does: (id: number) => Promise<Payment>): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    problem.value = "";
    window.clearTimeout(timer);
    try {
      take(await does(payment.value.id));
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      problem.value = cause.message;
    } finally {
      busy.value = false;
      turn = 0;
      schedule();
    }
  }

  watch(given, (found) => {
    payment.value = found;
    schedule();
  });
  onScopeDispose(() => {
    gone = true;
    window.clearTimeout(timer);
  });
  schedule();
  return {
    payment,
    stage,
    busy,
    problem,
    tired,
    look: () => act(refreshPayment),
    cancel: () => act(cancelPayment),
  };
}
