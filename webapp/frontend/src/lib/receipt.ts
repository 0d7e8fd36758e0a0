/** A proposal's receipt: what became of it, step by step, with the client's reason at the end. */
import { stateWord } from "./words";

export interface ReceiptStep {
  title: string;
  text: string;
  /** Empty for a step that has not come. */
  at: string;
}

interface ProposalLike {
  state: string;
  submitted_at: string;
  shortlisted_at: string | null;
  offered_at: string | null;
  receipt: {
    opened_at: string | null;
    position: number | null;
    among: number;
    outcome: string | null;
    outcome_at: string | null;
    outcome_reason: string;
  };
}

export function receiptOf(proposal: ProposalLike): ReceiptStep[] {
  const { receipt } = proposal;
  const steps: ReceiptStep[] = [{ title: "Sent", text: "", at: proposal.submitted_at }];
  if (receipt.opened_at) steps.push({ title: "Opened by the client", text: "", at: receipt.opened_at });
  else if (receipt.outcome) steps.push({ title: "Never opened", text: "", at: "" });
  else steps.push({ title: "Not opened yet", text: "You are told when the client opens it.", at: "" });
  if (proposal.shortlisted_at) steps.push({ title: "Shortlisted", text: "", at: proposal.shortlisted_at });
  if (proposal.offered_at) steps.push({ title: "Offered a contract", text: "", at: proposal.offered_at });
  if (receipt.outcome) {
    steps.push({ title: stateWord(receipt.outcome), text: receipt.outcome_reason, at: receipt.outcome_at ?? "" });
  } else if (receipt.position !== null) {
    const place = `Place ${receipt.position} of ${receipt.among} under the published ranking`;
    steps.push({ title: place, text: "It changes as proposals come and go.", at: "" });
  }
  return steps;
}
