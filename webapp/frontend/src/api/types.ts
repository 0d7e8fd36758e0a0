/** Short names for the schemas of the OpenAPI document that several components share. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export type Category = Schemas["Category"];
export type SkillRef = Schemas["Skill"];
export type JobCard = Schemas["JobCard"];
export type JobHit = Schemas["JobHit"];
export type JobHits = Schemas["JobSearchResult"];
export type Quote = Schemas["Quote"];
export type BidQuote = Schemas["BidQuote"];
export type Proposal = Schemas["Proposal"];
export type Recommendation = Schemas["Hit"];
export type ContractSummary = Schemas["ContractSummary"];
export type Contract = Schemas["Contract"];
export type Milestone = Schemas["Milestone"];
export type Dispute = Schemas["DisputeWhole"];
export type TimelineItem = Schemas["TimelineItem"];
export type InboxItem = Schemas["InboxItem"];
export type FundRequest = Schemas["FundRequest"];
export type Payout = Schemas["Payout"];
export type PayoutSchedule = Schemas["PayoutSchedule"];
export type OfferedGateway = Schemas["OfferedGateway"];
export type StatementLine = Schemas["StatementLine"];
export type LedgerAccount = Schemas["LedgerAccount"];
export type MoneyDocument = Schemas["Document"];
export type StoryEntry = Schemas["StoryEntry"];
export type Place = Schemas["PayoutMethod"];
export type Amount = Schemas["Amount"];
export type Payment = Schemas["Payment"];
export type PaymentRefund = Schemas["PaymentRefund"];
export type SavedMethod = Schemas["SavedMethod"];
export type ExchangeQuote = Schemas["ExchangeQuote"];
export type NextAction = Schemas["NextAction"];
export type Balances = Schemas["Balances"];
