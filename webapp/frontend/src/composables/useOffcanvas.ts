import Offcanvas from "bootstrap/js/dist/offcanvas";
import { onBeforeUnmount, onMounted, type Ref } from "vue";

/** A panel from the side. It holds the focus while it is open and gives it back to where it came from. */
export function useOffcanvas(panel: Ref<HTMLElement | undefined>): { show: () => void; hide: () => void } {
  let offcanvas: Offcanvas | undefined;
  let opener: Element | null = null;

  function giveBack(): void {
    const now = document.activeElement;
    const unclaimed = now === null || now === document.body || panel.value?.contains(now);
    if (unclaimed && opener instanceof HTMLElement) opener.focus();
  }

  onMounted(() => {
    if (!panel.value) return;
    offcanvas = new Offcanvas(panel.value);
    panel.value.addEventListener("hidden.bs.offcanvas", giveBack);
  });
  onBeforeUnmount(() => {
    panel.value?.removeEventListener("hidden.bs.offcanvas", giveBack);
    offcanvas?.dispose();
  });
  return {
    show: () => {
      opener = document.activeElement;
      offcanvas?.show();
    },
    hide: () => offcanvas?.hide(),
  };
}
