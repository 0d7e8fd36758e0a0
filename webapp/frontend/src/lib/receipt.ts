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
  first_seen_at: string | null;
  shortlisted_at?: string | null;
  offered_at: string | null;
  decided_at: string | null;
  outcome_reason: string;
}

const LIVE = ["submitted", "seen", "shortlisted", "offered"];

export function receiptOf(proposal: ProposalLike): ReceiptStep[] {
  const ended = !LIVE.includes(proposal.state);
  const steps: ReceiptStep[] = [{ title: "Sent", text: "", at: proposal.submitted_at }];
  if (proposal.first_seen_at) steps.push({ title: "Opened by the client", text: "", at: proposal.first_seen_at });
  else if (ended) steps.push({ title: "Never opened", text: "", at: "" });
  else steps.push({ title: "Not opened yet", text: "You are told when the client opens it.", at: "" });
  if (proposal.shortlisted_at) steps.push({ title: "Shortlisted", text: "", at: proposal.shortlisted_at });
  if (proposal.offered_at) steps.push({ title: "Offered a contract", text: "", at: proposal.offered_at });
  if (ended)
    steps.push({ title: stateWord(proposal.state), text: proposal.outcome_reason, at: proposal.decided_at ?? "" });
  return steps;
}
