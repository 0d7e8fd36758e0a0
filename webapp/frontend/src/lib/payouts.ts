/** What a payout's state means for the one who waits for the money. */
import type { Payout, PayoutSchedule } from "@/api/types";

export interface PayoutStory {
  text: string;
  /** The instant that the text is about, said after it. */
  at: string | null;
  /** What stands before the instant. */
  atText: string;
}

export function payoutStory(payout: Payout): PayoutStory {
  const plain = (text: string): PayoutStory => ({ text, at: null, atText: "" });
  switch (payout.state) {
    case "requested":
      return plain("It is sent with the next round.");
    case "held":
      if (payout.held_until) return { text: payout.hold_words, at: payout.held_until, atText: "It is sent on" };
      return plain(`${payout.hold_words} There is no date yet; you are told what was decided.`.trim());
    case "sent":
      return plain(payout.failure_words || "It is on its way. Banks can take some days.");
    case "paid":
      return payout.settled_at ? { text: "", at: payout.settled_at, atText: "Paid on" } : plain("Paid.");
    case "failed":
      return plain(
        payout.failure_code === "paid_after_all"
          ? payout.failure_words
          : `${payout.failure_words} The money is on your balance again.`.trim(),
      );
    default:
      return plain("");
  }
}

export const PACES = [
  { value: "manual", text: "Only when I ask" },
  { value: "weekly", text: "Every Monday" },
  { value: "monthly", text: "On the first of the month" },
] as const;

/** "Every Monday, 06:00 UTC", of a currency that has no schedule: only when asked. */
export function paceText(schedule: PayoutSchedule | undefined): string {
  const pace = PACES.find((p) => p.value === (schedule?.pace ?? "manual"));
  return pace?.value === "manual" || !pace ? PACES[0].text : `${pace.text}, 06:00 UTC`;
}
