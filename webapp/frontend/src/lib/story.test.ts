import { describe, expect, it } from "vitest";

import type { StoryEntry } from "@/api/types";
import { entriesUntil, rateSentence, storyAccount } from "./story";

describe("a contract's money in words", () => {
  it("says whose account it is", () => {
    expect(storyAccount({ kind: "hold", owner: "client", milestone_id: 51 })).toBe("Client: funds held, milestone 51");
    expect(storyAccount({ kind: "fees", owner: "platform", milestone_id: null })).toBe("Openlance: fees");
  });

  it("shows what was posted up to an instant, that instant included", () => {
    const entries = ["2026-03-14T09:00:00Z", "2026-03-14T09:00:01Z"].map((at) => ({ at }) as StoryEntry);
    expect(entriesUntil(entries, "2026-03-14T09:00:00.000Z")).toEqual([entries[0]]);
    expect(entriesUntil(entries, undefined)).toEqual(entries);
  });

  it("tells the rate with its source and spread", () => {
    const rate = { base: "USD", quote: "KES", rate: "129.25", source: "ecb", spread_bps: 50, as_of: "2026-03-13" };
    expect(rateSentence(rate)).toBe("1 USD = 129.25 KES (ecb, 2026-03-13, spread 0.5\u00a0%)");
  });
});
