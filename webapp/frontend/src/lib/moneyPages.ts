/** The pages about the reader's own money; the header's “Money” stands for all of them. */
export const MONEY_PAGES = [
  { to: "/money", text: "Overview", about: "Balances and what moved last." },
  { to: "/wallet", text: "Wallet", about: "Pay in, your payments and cards, and money back to them." },
  { to: "/payouts", text: "Payouts", about: "Where and when you are paid, and what became of it." },
  {
    to: "/statements",
    text: "Statements",
    about: "Every change with its balance, also as it once stood; CSV and PDF.",
  },
  { to: "/documents", text: "Documents", about: "Invoices, credit notes and receipts." },
] as const;

export function isMoneyPage(path: string): boolean {
  // A payment's page belongs to the wallet.
  return [...MONEY_PAGES, { to: "/payments" }].some((page) => path === page.to || path.startsWith(`${page.to}/`));
}
