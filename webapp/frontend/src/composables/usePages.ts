import { onScopeDispose, ref, shallowRef, type Ref } from "vue";

import { ApiError } from "@/api/client";
import { cursorOf } from "@/lib/search";

export interface Page<T> {
  results: T[];
  next?: string | null;
}

export interface Pages<P extends Page<unknown>> {
  rows: Ref<P["results"][number][]>;
  first: Ref<P | undefined>;
  error: Ref<ApiError | undefined>;
  ready: Ref<boolean>;
  busy: Ref<boolean>;
  hasMore: Ref<boolean>;
  /** Starts again from the first page. */
  reload: () => Promise<void>;
  more: () => Promise<void>;
}

/** A keyset list: the first page now, further ones by `more`. An answer that was overtaken by `reload` is dropped. */
export function usePages<P extends Page<unknown>>(load: (cursor: string | undefined) => Promise<P>): Pages<P> {
  const rows = shallowRef<P["results"][number][]>([]);
  const first = shallowRef<P>();
  const error = shallowRef<ApiError>();
  const ready = ref(false);
  const busy = ref(false);
  const hasMore = ref(false);
  let cursor: string | undefined;
  let turn = 0;

  async function fetchPage(from: string | undefined): Promise<void> {
    const mine = ++turn;
    busy.value = true;
    try {
      const page = await load(from);
      if (mine !== turn) return;
      rows.value = from === undefined ? page.results : [...rows.value, ...page.results];
      if (from === undefined) first.value = page;
      cursor = cursorOf(page.next);
      hasMore.value = cursor !== undefined;
      error.value = undefined;
      ready.value = true;
    } catch (cause) {
      if (mine !== turn) return;
      if (!(cause instanceof ApiError)) throw cause;
      error.value = cause;
    } finally {
      if (mine === turn) busy.value = false;
    }
  }

  onScopeDispose(() => turn++);
  void fetchPage(undefined);
  return {
    rows,
    first,
    error,
    ready,
    busy,
    hasMore,
    reload: () => fetchPage(undefined),
    more: () => fetchPage(cursor),
  };
}
