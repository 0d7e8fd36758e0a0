import { onScopeDispose, ref, type Ref } from "vue";

import { businessNow } from "@/api/session";

/** The server's business clock in milliseconds, once a second while the page is there. */
export function useNow(): Ref<number> {
  const now = ref(businessNow());
  const timer = window.setInterval(() => (now.value = businessNow()), 1_000);
  onScopeDispose(() => window.clearInterval(timer));
  return now;
}
