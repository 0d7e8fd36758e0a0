/** The pages about the reader's own money; the header's “Money” stands for all of them. */
export const MONEY_PAGES = [
  { to: "/money", text: "Overview" },
  { to: "/payouts", text: "Payouts" },
  { to: "/statements", text: "Statements" },
  { to: "/documents", text: "Documents" },
] as const;

export function isMoneyPage(path: string): boolean {
  return MONEY_PAGES.some((page) => path === page.to || path.startsWith(`${page.to}/`));
}
