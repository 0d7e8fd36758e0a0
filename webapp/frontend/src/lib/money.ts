/**
 * Exact money on pages: whole minor units and an ISO 4217 code in, text out. No float touches an amount.
 *
 * Exponents (JPY 0, USD 2, KWD 3) come from the browser's CLDR data, the same source as the server's.
 */
const LOCALE = "en";
const exponents = new Map<string, number>();

export type Minor = number | bigint;

/** Number of decimal places of a currency. Throws RangeError for text that is no currency code. */
export function exponent(currency: string): number {
  let known = exponents.get(currency);
  if (known === undefined) {
    known = new Intl.NumberFormat(LOCALE, { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
    exponents.set(currency, known);
  }
  return known;
}

/** Exact decimal text in major units: (1250, "USD") → "12.50". */
export function toDecimal(minor: Minor, currency: string): string {
  const places = exponent(currency);
  const value = BigInt(minor);
  const digits = (value < 0n ? -value : value).toString().padStart(places + 1, "0");
  const sign = value < 0n ? "-" : "";
  return places === 0 ? sign + digits : `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

// Signs that only one payable currency uses; every other sign ($, ¥, kr, …) is followed by its code.
const UNSHARED = new Set(["EUR", "GBP", "INR", "ILS", "KRW", "PHP", "VND", "UAH", "NGN", "TRY"]);

function signed(minor: Minor, currency: string, strip: boolean): string {
  return new Intl.NumberFormat(LOCALE, {
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
    trailingZeroDisplay: strip ? "stripIfInteger" : "auto",
  }).format(toDecimal(minor, currency) as Intl.StringNumericLiteral);
}

function withCode(text: string, currency: string): string {
  return /^-?\p{L}/u.test(text) || UNSHARED.has(currency) ? text : `${text} ${currency}`;
}

/** Localised text that leaves no doubt about the currency: (1250, "USD") → "$12.50 USD". */
export function formatMoney(minor: Minor, currency: string): string {
  return withCode(signed(minor, currency, false), currency).replace("-", "−");
}

/** "$500 – $1,500 USD", "up to …", "from …", or null when the price is unknown. */
export function formatRange(min: Minor | null, max: Minor | null, currency: string): string | null {
  const text = (minor: Minor) => signed(minor, currency, true);
  if (min === null && max === null) return null;
  if (min === null) return `up to ${withCode(text(max as Minor), currency)}`;
  if (max === null) return `from ${withCode(text(min), currency)}`;
  if (BigInt(min) === BigInt(max)) return withCode(text(min), currency);
  return withCode(`${text(min)} – ${text(max)}`, currency);
}

export class AmountError extends Error {}

/**
 * Minor units from what a person typed ("1,250.50"). Exact; throws AmountError with what to do for anything unreadable,
 * too fine for the currency, zero, negative or beyond the largest amount the server takes (10^12 minor units).
 */
export function parseMoney(text: string, currency: string): number {
  const places = exponent(currency);
  const trimmed = text.trim();
  const plain = trimmed.replace(/[\s\u00a0\u202f]/g, "").replace(/,(?=\d{3}(\D|$))/g, "");
  const found = /^(\d+)(?:\.(\d*))?$/.exec(plain);
  if (!found) throw new AmountError(`Write the amount in digits, like ${places === 0 ? "1250" : "1250.00"}.`);
  const [, whole = "0", fraction = ""] = found;
  if (fraction.replace(/0+$/, "").length > places)
    throw new AmountError(
      places === 0 ? `${currency} has no decimal places.` : `${currency} has ${places} decimal places.`,
    );
  const minor = BigInt(whole + fraction.padEnd(places, "0").slice(0, places));
  if (minor <= 0n) throw new AmountError("The amount must be more than zero.");
  if (minor > 1_000_000_000_000n) throw new AmountError("The amount is too large.");
  return Number(minor);
}
