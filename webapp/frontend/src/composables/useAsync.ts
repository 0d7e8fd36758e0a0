import { onScopeDispose, ref, shallowRef, type Ref } from "vue";

import { ApiError } from "@/api/client";

export interface Loading<T> {
  data: Ref<T | undefined>;
  error: Ref<ApiError | undefined>;
  busy: Ref<boolean>;
  /** Loads again; what was shown stays until the answer is there. */
  reload: () => Promise<void>;
}

/** Loads once now and on every `reload`. Only the newest answer counts: one that was overtaken is dropped. */
export function useAsync<T>(load: () => Promise<T>): Loading<T> {
  const data = shallowRef<T>();
  const error = shallowRef<ApiError>();
  const busy = ref(false);
  let newest = 0;

  async function reload(): Promise<void> {
    const turn = ++newest;
    busy.value = true;
    try {
      const answer = await load();
      if (turn !== newest) return;
      data.value = answer;
      error.value = undefined;
    } catch (cause) {
      if (turn !== newest) return;
      if (!(cause instanceof ApiError)) throw cause;
      error.value = cause;
    } finally {
      if (turn === newest) busy.value = false;
    }
  }

  onScopeDispose(() => newest++);
  void reload();
  return { data, error, busy, reload };
}
