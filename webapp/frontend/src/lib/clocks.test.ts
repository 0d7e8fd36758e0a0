import { describe, expect, it } from "vitest";

import { nextClocks } from "./clocks";
import { receiptOf } from "./receipt";
import { safeNext } from "./next";

describe("what happens next", () => {
  it("is in the order the clocks strike, whichever milestone they belong to", () => {
    const clock = (at: string, then: string) => ({ clock: "c", at, then });
    const contract = {
      clocks: [clock("2026-12-03T00:00:00Z", "third")],
      milestones: [
        { title: "A", clocks: [clock("2026-12-02T00:00:00Z", "second")] },
        { title: "B", clocks: [clock("2026-12-01T23:00:00-05:00", "in between"), clock("2026-12-01T00:00:00Z", "first")] },
      ],
    };
    expect(nextClocks(contract).map(({ then, of }) => `${then} ${of}`.trim())).toEqual(["first B", "second A", "in between B", "third"]);
  });
});

describe("a proposal's receipt", () => {
  const sent = { state: "submitted", submitted_at: "t1", first_seen_at: null, offered_at: null, decided_at: null, outcome_reason: "" };

  it("says that it was not opened yet", () => {
    expect(receiptOf(sent).map((step) => step.title)).toEqual(["Sent", "Not opened yet"]);
  });

  it("ends with the client's reason", () => {
    const steps = receiptOf({ ...sent, state: "declined", first_seen_at: "t2", decided_at: "t3", outcome_reason: "Too late." });
    expect(steps.at(-1)).toEqual({ title: "Declined", text: "Too late.", at: "t3" });
  });

  it("does not hide that nobody ever opened it", () => {
    expect(receiptOf({ ...sent, state: "archived", decided_at: "t3" })[1]?.title).toBe("Never opened");
  });
});

describe("where sign-in leads", () => {
  it("is an address of this site, else the start", () => {
    expect(safeNext("/jobs/7?x=1#y")).toBe("/jobs/7?x=1#y");
    for (const hostile of ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "", undefined, ["/jobs"]]) {
      expect(safeNext(hostile)).toBe("/");
    }
  });
});
