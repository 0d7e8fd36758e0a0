/** The words of the domain as people read them. Every state has one word and one tone; unknown states show as they are. */
export type Tone = "going" | "waiting" | "done" | "bad";

const STATES: Record<string, [string, Tone]> = {
  draft: ["Draft", "waiting"],
  in_review: ["In review", "waiting"],
  open: ["Open", "going"],
  filled: ["Filled", "done"],
  closed: ["Closed", "done"],
  expired: ["Expired", "done"],
  removed: ["Removed", "bad"],
  seen: ["Opened by the client", "going"],
  shortlisted: ["Shortlisted", "going"],
  offered: ["Offered", "waiting"],
  accepted: ["Accepted", "going"],
  declined: ["Declined", "bad"],
  withdrawn: ["Withdrawn", "done"],
  archived: ["Archived", "done"],
  active: ["Active", "going"],
  completed: ["Completed", "done"],
  cancelled: ["Cancelled", "done"],
  planned: ["Planned", "waiting"],
  funded: ["Funded", "going"],
  in_progress: ["In progress", "going"],
  submitted: ["Submitted", "waiting"],
  changes_requested: ["Changes requested", "waiting"],
  approved: ["Approved", "going"],
  released: ["Released", "done"],
  refunded: ["Refunded", "done"],
  disputed: ["Disputed", "bad"],
  resolved: ["Resolved", "done"],
  requested: ["Requested", "waiting"],
  held: ["Held for a check", "waiting"],
  onboarding: ["Not complete", "waiting"],
  restricted: ["Stopped by the gateway", "bad"],
  sent: ["Sent", "going"],
  paid: ["Paid", "done"],
  failed: ["Failed", "bad"],
  created: ["Begun", "waiting"],
  pending: ["Waiting", "waiting"],
  succeeded: ["Paid", "going"],
  partially_refunded: ["Partly sent back", "done"],
  charged_back: ["Taken back by the bank", "bad"],
  ready: ["Ready", "going"],
  opened: ["Waits for an answer", "waiting"],
  negotiation: ["Negotiation", "going"],
  proposal: ["Split computed", "going"],
  evidence: ["Evidence", "going"],
  decision: ["Staff decide", "waiting"],
  appeal: ["Decided, can be appealed", "waiting"],
  appealed: ["Appealed", "waiting"],
  settled: ["Settled", "done"],
};

export function stateWord(state: string): string {
  return STATES[state]?.[0] ?? capitalise(state);
}

export function stateTone(state: string): Tone {
  return STATES[state]?.[1] ?? "done";
}

/** "entry_level" → "Entry level" */
export function capitalise(name: string): string {
  const spaced = name.replace(/[_-]+/g, " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

export const LEVELS = [
  { value: "entry", text: "Entry" },
  { value: "intermediate", text: "Intermediate" },
  { value: "expert", text: "Expert" },
] as const;

export const PRICINGS = [
  { value: "fixed", text: "Fixed price" },
  { value: "hourly", text: "By the hour" },
] as const;

export const CURRENCIES = [
  "USD",
  "EUR",
  "GBP",
  "KES",
  "INR",
  "JPY",
  "NGN",
  "PHP",
  "PLN",
  "BRL",
  "CAD",
  "AUD",
  "CHF",
  "KWD",
];

const LEDGER: Record<string, string> = {
  deposit: "Paid in",
  exchange: "Exchanged",
  hold: "Funds held",
  release: "Released",
  bonus: "Bonus",
  clear: "Cleared",
  clear_part: "Part cleared",
  clear_bonus: "Bonus cleared",
  refund: "Given back",
  roll: "Moved to the next milestone",
  settle: "Dispute settled",
  fee_refund: "Fee given back",
  client_fee: "Service fee",
  client_fee_refund: "Service fee given back",
  payout_request: "Payout requested",
  payout_settle: "Paid out",
  payout_fail: "Payout came back",
  payout_return: "Payout returned by the bank",
  card_refund_request: "Refund to the card asked for",
  card_refund_settle: "Refunded to the card",
  card_refund_fail: "Refund to the card failed",
  card_refund_return: "Refund to the card came back",
  payout_late: "Paid out after all",
  debt_set_off: "Debt paid from earnings",
  debt_write_off: "Debt written off",
  chargeback: "Charged back by the bank",
  dispute_open: "Taken back by the bank",
  dispute_won: "Given back by the bank",
  dispute_less: "Partly given back by the bank",
  debt_recover: "Debt paid",
  provider_fee: "Gateway's fee",
  difference_book: "Difference booked",
  difference_credit: "Difference credited",
  difference_write_off: "Difference written off",
  wallet: "Wallet",
  pending: "Clearing",
  available: "Available",
  payout_transit: "Being paid out",
  receivable: "Owed to Openlance",
  fees: "Fees",
  tax: "Tax",
  withholding: "Tax withheld",
  fx_clearing: "Exchange",
  clearing: "Gateway",
};

const RULES: Record<string, string> = {
  gateway_succeeded: "Payment confirmed by the gateway",
  gateway_paid: "Confirmed by the gateway",
  gateway_returned: "Sent back by the bank",
  gateway_disputed: "Disputed at the bank",
  gateway_reinstated: "Decided by the bank",
  gateway_kept_less: "Decided by the bank",
  gateway_charged_back: "Reported by the gateway",
  payee_request: "You asked for it",
  payout_failed: "The gateway could not pay it out",
  client_funding: "The client funded the milestone",
  client_funding_wallet: "The client funded the milestone from the wallet",
  client_approval: "The client approved",
  client_approval_part: "The client approved a part",
  client_bonus: "The client gave a bonus",
  freelancer_agrees: "The freelancer agreed",
  debt_first: "Debts are paid first",
  staff_fee_refund: "Staff gave the fee back",
  freelancer_gives_back: "The freelancer gave it back",
  dispute_decision: "Decided in the dispute",
  dispute_claim_accepted: "The claim in the dispute was accepted",
  dispute_silence: "The claim in the dispute was not answered",
  dispute_agreement: "The offers in the dispute met",
  dispute_proposal: "Both sides accepted the computed split",
};

/** Why money moved: the rule of a ledger entry. "clearing_5d" → "By the clock: clearing after 5 days" */
export function ruleWord(rule: string): string {
  const clock = /^(\w+)_(\d+)d$/.exec(rule);
  if (clock?.[1]) return `By the clock: ${clock[1].replaceAll("_", " ")} after ${clock[2]} days`;
  return RULES[rule] ?? capitalise(rule);
}

const SETTLED: Record<string, string> = {
  claim_accepted: "The other side accepted the claim.",
  silence: "The other side did not answer in time: the claim was granted.",
  agreement: "The offers of the two sides met.",
  proposal: "Both sides accepted the computed split.",
  decision: "Staff decided.",
  appeal: "Another member of staff decided on the appeal.",
  staff: "Staff ended the dispute before its turn.",
};

/** How a dispute ended. */
export function settledWord(how: string): string {
  return SETTLED[how] ?? capitalise(how);
}

/** "FR" → "France"; a code that the browser does not know shows as it is. */
export function countryName(code: string): string {
  return new Intl.DisplayNames("en", { type: "region", fallback: "code" }).of(code) ?? code;
}

/** The word for a ledger entry's kind or an account's. */
export function ledgerWord(name: string): string {
  return LEDGER[name] ?? capitalise(name);
}
