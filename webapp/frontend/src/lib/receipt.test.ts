import { describe, expect, it } from "vitest";

import { receiptOf } from "./receipt";

describe("a proposal's receipt", () => {
  const receipt = { opened_at: null, position: 2, among: 5, outcome: null, outcome_at: null, outcome_reason: "" };
  const sent = { state: "submitted", submitted_at: "t1", shortlisted_at: null, offered_at: null, receipt };
  const titles = (proposal: Parameters<typeof receiptOf>[0]) => receiptOf(proposal).map((step) => step.title);

  it("says that it was not opened yet, and its place", () => {
    expect(titles(sent)).toEqual(["Sent", "Not opened yet", "Place 2 of 5 under the published ranking"]);
  });

  it("ends with the client's reason", () => {
    const ended = {
      opened_at: "t2",
      position: null,
      outcome: "declined",
      outcome_at: "t3",
      outcome_reason: "Too late.",
    };
    const steps = receiptOf({ ...sent, state: "declined", receipt: { ...receipt, ...ended } });
    expect(steps.map((step) => step.title)).toEqual(["Sent", "Opened by the client", "Declined"]);
    expect(steps.at(-1)).toEqual({ title: "Declined", text: "Too late.", at: "t3" });
  });

  it("does not hide that nobody ever opened it", () => {
    const ended = { position: null, outcome: "archived", outcome_at: "t3" };
    expect(titles({ ...sent, state: "archived", receipt: { ...receipt, ...ended } })).toEqual([
      "Sent",
      "Never opened",
      "Archived",
    ]);
  });
});
