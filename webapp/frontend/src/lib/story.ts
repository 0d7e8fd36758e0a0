/** A contract's money, each posting in words. */
import type { StoryEntry } from "@/api/types";
import { ledgerWord } from "./words";

interface StoryAccount {
  kind: string;
  owner: "client" | "freelancer" | "platform";
  milestone_id: number | null;
}

/** "Client: wallet", "Openlance: fees", "Client: funds held, milestone 51" */
export function storyAccount(account: StoryAccount): string {
  const owner = { client: "Client", freelancer: "Freelancer", platform: "Openlance" }[account.owner];
  const word = ledgerWord(account.kind);
  const kind = word.charAt(0).toLowerCase() + word.slice(1);
  return `${owner}: ${kind}${account.milestone_id ? `, milestone ${account.milestone_id}` : ""}`;
}

/** The entries up to an instant, that instant included; all of them without one. */
export function entriesUntil(entries: StoryEntry[], asOf: string | undefined): StoryEntry[] {
  return asOf ? entries.filter((entry) => Date.parse(entry.at) <= Date.parse(asOf)) : entries;
}

/** "1 USD = 129.25 KES (ecb, 27 Nov 2026, spread 0.5 %)" */
export function rateSentence(rate: NonNullable<StoryEntry["rate"]>): string {
  return `1 ${rate.base} = ${rate.rate} ${rate.quote} (${rate.source}, ${rate.as_of}, spread ${rate.spread_bps / 100}\u00a0%)`;
}
