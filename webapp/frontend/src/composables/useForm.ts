import { nextTick, reactive, ref, watch, type Reactive, type Ref } from "vue";

import { ApiError } from "@/api/client";
import { clearDraft, loadDraft, sameContent, saveDraft } from "@/lib/draft";

export interface Form<T extends object> {
  values: Reactive<T>;
  /** Messages beside fields, by the server's field path ("milestones.0.title"). */
  errors: Ref<Record<string, string>>;
  message: Ref<string>;
  busy: Ref<boolean>;
  /** True when a draft of an earlier visit was put back. */
  restored: boolean;
  fail: (fields: Record<string, string>, message?: string) => void;
  submit: (send: () => Promise<void>) => Promise<boolean>;
  discard: () => void;
}

/**
 * Values, errors and sending of one form. With `draftKey` everything typed is kept in this tab's storage until the form
 * was sent or discarded, so that neither an error nor a reload loses it.
 */
export function useForm<T extends object>(initial: T, draftKey?: string): Form<T> {
  const draft = draftKey ? loadDraft<T>(draftKey) : undefined;
  const values = reactive(structuredClone({ ...initial, ...draft })) as Reactive<T>;
  const errors = ref<Record<string, string>>({});
  const message = ref("");
  const busy = ref(false);
  let done = false;

  if (draftKey) {
    watch(
      values,
      () => {
        if (done) return;
        if (sameContent(values, initial)) clearDraft(draftKey);
        else saveDraft(draftKey, values);
      },
      { deep: true },
    );
  }

  function fail(fields: Record<string, string>, text = "Please correct the marked fields and send it again."): void {
    errors.value = fields;
    message.value = text;
    void nextTick(focusFirstError);
  }

  async function submit(send: () => Promise<void>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    errors.value = {};
    message.value = "";
    try {
      await send();
      done = true;
      if (draftKey) clearDraft(draftKey);
      return true;
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      const fields = Object.entries(cause.fields).map(([field, texts]) => [field, texts.join(" ")] as const);
      fail(Object.fromEntries(fields), cause.message);
      return false;
    } finally {
      busy.value = false;
    }
  }

  function discard(): void {
    if (draftKey) clearDraft(draftKey);
    Object.assign(values, structuredClone(initial));
    errors.value = {};
    message.value = "";
  }

  return { values, errors, message, busy, restored: draft !== undefined, fail, submit, discard };
}

function focusFirstError(): void {
  const marked = document.querySelector<HTMLElement>('[aria-invalid="true"]');
  (marked ?? document.querySelector<HTMLElement>("[data-form-message]"))?.focus();
}
