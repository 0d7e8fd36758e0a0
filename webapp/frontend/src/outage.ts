import { ref } from "vue";

/** True while the server could not be asked who is signed in: the whole page then shows that, with a way to retry. */
export const outage = ref(false);
