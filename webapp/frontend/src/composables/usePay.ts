import { computed, reactive, ref, shallowRef, watch, type ComputedRef } from "vue";

import { api, ApiError, body } from "@/api/client";
import { Attempt } from "@/api/idempotency";
import { askQuote, newestPayments, pay, savedMethods, type Paid, type PayRequest } from "@/api/payments";
import { session } from "@/api/session";
import type { ExchangeQuote, Payment } from "@/api/types";
import { useAsync } from "@/composables/useAsync";
import { useNow } from "@/composables/useNow";
import { rememberLeaving } from "@/lib/comeback";
import {
  isOpen,
  methodOf,
  payAddress,
  payCurrencies,
  phoneProblem,
  refusalText,
  secondsLeft,
  stageOf,
  TEST_CARDS,
  waysToPay,
  type Way,
} from "@/lib/pay";
import { readAmount, type Errors } from "@/lib/terms";
import { CURRENCIES } from "@/lib/words";

/** What is paid for: a milestone, whose amount is fixed, or the reader's own wallet. */
export type PayFor = { milestoneId: number; minor: number; currency: string } | { wallet: true };

/**
 * Choosing a way to pay and paying with it, once. `to` is the page to go on with after a gateway's own page; `paid` hears of a payment that
 * succeeded, or of the wallet having paid.
 */
export function usePay(what: PayFor, to: string, paid: (result: Paid) => Promise<void> | void) {
  const milestone = "milestoneId" in what ? what : undefined;
  const attempt = new Attempt(milestone ? `milestone:${milestone.milestoneId}:fund` : "wallet:pay");
  const now = useNow();
  const values = reactive({
    amount: "",
    currency: milestone?.currency ?? session.me?.display_currency ?? "USD",
    way: "",
    token: TEST_CARDS[0].token as string,
    phone: "",
  });
  const errors = ref<Record<string, string>>({});
  const message = ref("");
  const busy = ref(false);
  /** The payment that is being made and is not over. */
  const current = shallowRef<Payment>();
  const lost = shallowRef(attempt.undecided as PayRequest | undefined);

  const choice = useAsync(async () => {
    const currency = values.currency;
    const [gateways, saved, balances, payments] = await Promise.all([
      body(api.GET("/api/v1/payment-gateways", { params: { query: { currency, purpose: "payment" } } })),
      savedMethods(),
      body(api.GET("/api/v1/me/balances")),
      newestPayments(),
    ]);
    return { currency, gateways, saved, balances: balances.results, payments };
  });
  const amount = computed(() => milestone?.minor ?? readAmount(values.amount, values.currency, "", {}));
  const exchanged = computed(() => milestone !== undefined && values.currency !== milestone.currency);

  const quote = shallowRef<ExchangeQuote>();
  const quoteProblem = ref("");
  const quoting = ref(false);
  async function renewQuote(): Promise<void> {
    quote.value = undefined;
    quoteProblem.value = "";
    if (!milestone || !exchanged.value) return;
    const currency = values.currency;
    quoting.value = true;
    try {
      const found = await askQuote(milestone.minor, milestone.currency, currency);
      if (currency === values.currency) quote.value = found;
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      if (currency === values.currency) quoteProblem.value = cause.message;
    } finally {
      if (currency === values.currency) quoting.value = false;
    }
  }
  watch(
    () => values.currency,
    () => {
      errors.value = {};
      message.value = "";
      void choice.reload();
      void renewQuote();
    },
  );

  const toPay = computed(() =>
    exchanged.value
      ? quote.value?.sell
      : amount.value === undefined
        ? undefined
        : { minor: amount.value, currency: values.currency },
  );
  const ways = computed<Way[]>(() => {
    const found = choice.data.value;
    if (found?.currency !== values.currency) return [];
    return waysToPay({
      offered: found.gateways.results,
      saved: found.saved,
      currency: values.currency,
      amount: toPay.value?.minor,
      now: now.value,
      balances: milestone ? found.balances : undefined,
    });
  });
  const way = computed(() => {
    const chosen = ways.value.find((w) => w.id === values.way && !w.blocked);
    return chosen ?? ways.value.find((w) => !w.blocked);
  });
  const currencies = computed(() =>
    payCurrencies(
      milestone?.currency ?? values.currency,
      session.me?.display_currency ?? "",
      choice.data.value?.balances ?? [],
      CURRENCIES,
    ),
  );
  /** Payments for the same that are begun and not over: a second one would pay twice. */
  const open = computed(() =>
    (choice.data.value?.payments ?? []).filter(
      (p) =>
        isOpen(p) &&
        (milestone ? p.purpose === "milestone" && p.purpose_id === milestone.milestoneId : p.purpose === "wallet"),
    ),
  );
  const expired = computed(() => quote.value !== undefined && secondsLeft(quote.value.expires_at, now.value) === 0);
  const ready: ComputedRef<boolean> = computed(
    () =>
      way.value !== undefined &&
      !choice.busy.value &&
      (!exchanged.value || (quote.value !== undefined && !expired.value)),
  );

  function requestOf(chosen: Way): PayRequest | undefined {
    const found: Errors = {};
    const minor = milestone ? milestone.minor : readAmount(values.amount, values.currency, "amount_minor", found);
    if (chosen.flow === "phone" && phoneProblem(values.phone)) found["method.phone"] = phoneProblem(values.phone);
    if (Object.keys(found).length > 0) {
      errors.value = found;
      return undefined;
    }
    const method = methodOf(chosen, values);
    if (!milestone) return { provider: chosen.provider, method, amount_minor: minor, currency: values.currency };
    return { provider: chosen.provider, method, quote_id: exchanged.value ? quote.value?.id : undefined };
  }

  async function send(request: PayRequest): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    errors.value = {};
    message.value = "";
    try {
      const result = await pay(attempt, milestone?.milestoneId ?? null, request);
      lost.value = undefined;
      await take(result);
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      if (cause.undecided) {
        lost.value = request;
        return;
      }
      lost.value = undefined;
      errors.value = Object.fromEntries(Object.entries(cause.fields).map(([field, texts]) => [field, texts.join(" ")]));
      message.value = cause.message;
      if (request.quote_id !== undefined) await renewQuote();
    } finally {
      busy.value = false;
    }
  }

  async function take(result: Paid): Promise<void> {
    const { payment } = result;
    const stage = payment ? stageOf(payment) : "paid";
    if (stage === "paid") {
      await paid(result);
    } else if (payment && stage === "refused") {
      message.value = refusalText(payment.failure_code);
      // A price belongs to one payment: the next try has another.
      await renewQuote();
    } else if (payment) {
      const address = stage === "act" ? payAddress(payment.next_action?.url, window.location.origin) : null;
      rememberLeaving({ kind: "payment", id: payment.id, to });
      if (address) window.location.assign(address);
      current.value = payment;
    }
  }

  /** Sends what was chosen. Whether anything was sent. */
  async function submit(): Promise<boolean> {
    const request = way.value && ready.value ? requestOf(way.value) : undefined;
    if (request) await send(request);
    return request !== undefined;
  }

  /** The same payment with the same key: it is made once, however often this is asked. */
  async function askAgain(): Promise<void> {
    if (lost.value) await send(lost.value);
  }

  function giveUp(): void {
    attempt.giveUp();
    lost.value = undefined;
    void choice.reload();
    void renewQuote();
  }

  async function changed(payment: Payment): Promise<void> {
    if (stageOf(payment) === "paid") await paid({ payment, milestone: null });
  }

  /** Back to the choice, after a payment that was refused or cancelled. */
  function choose(): void {
    current.value = undefined;
    void choice.reload();
    void renewQuote();
  }

  return {
    values,
    errors,
    message,
    busy,
    current,
    lost,
    choice,
    ways,
    way,
    currencies,
    open,
    amount,
    exchanged,
    quote,
    quoteProblem,
    quoting,
    expired,
    ready,
    toPay,
    now,
    renewQuote,
    submit,
    askAgain,
    giveUp,
    changed,
    choose,
  };
}
