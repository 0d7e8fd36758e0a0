/** The clocks of a contract in the order they strike: what happens next, and when, if nobody acts. */
export interface ClockLike {
  clock: string;
  at: string;
  then: string;
}

export interface NextClock extends ClockLike {
  /** The milestone the clock belongs to; empty for the contract's own. */
  of: string;
}

interface ContractLike {
  clocks?: readonly ClockLike[];
  milestones: readonly { title: string; clocks: readonly ClockLike[] }[];
}

export function nextClocks(contract: ContractLike): NextClock[] {
  const own = (contract.clocks ?? []).map((clock) => ({ ...clock, of: "" }));
  const several = contract.milestones.length > 1;
  const theirs = contract.milestones.flatMap((milestone) =>
    milestone.clocks.map((clock) => ({ ...clock, of: several ? milestone.title : "" })),
  );
  return [...own, ...theirs].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
