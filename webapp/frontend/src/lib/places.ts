/** Places to be paid in words, and what gateways are told of them. */
import type { OfferedGateway, Place } from "@/api/types";

/** Whether payouts can go to it. */
export function isReady(place: Pick<Place, "state">): boolean {
  return place.state === "ready";
}

/** Whether payouts to it still wait because it is new. */
export function waits(place: Pick<Place, "state" | "usable_at">, now: number): boolean {
  return isReady(place) && place.usable_at !== null && Date.parse(place.usable_at) > now;
}

interface GatewayWords {
  name: string;
  field: { label: string; help: string; autocomplete?: string; mode?: "tel" | "email" | "text" } | null;
}

const GATEWAYS: Record<string, GatewayWords> = {
  sandbox: {
    name: "Bank account",
    field: {
      label: "IBAN",
      help: "The test bank: no real money moves. It also takes the test accounts bank_ok, bank_delayed and bank_closed.",
    },
  },
  mpesa: {
    name: "M-Pesa",
    field: {
      label: "M-Pesa number",
      help: "A Kenyan mobile number, like 0712 345678.",
      autocomplete: "tel",
      mode: "tel",
    },
  },
  paypal: {
    name: "PayPal",
    field: {
      label: "E-mail address at PayPal",
      help: "The money goes to whoever has this address at PayPal.",
      autocomplete: "email",
      mode: "email",
    },
  },
  stripe: { name: "Bank account or card by Stripe", field: null },
};

/** The name of a gateway as payees know it. */
export function gatewayName(provider: string): string {
  return GATEWAYS[provider]?.name ?? provider;
}

/** The one thing that a gateway is told of a place; null where it asks its own questions on its own page. */
export function gatewayField(gateway: OfferedGateway): GatewayWords["field"] {
  if (gateway.flow === "onboarding") return null;
  return GATEWAYS[gateway.provider]?.field ?? { label: "Account", help: "" };
}

/** What was typed, in the gateway's form; undefined with nothing typed. */
export function placeDetails(flow: OfferedGateway["flow"], typed: string): Record<string, string> | undefined {
  const text = typed.trim();
  if (!text) return undefined;
  if (flow === "phone") return { phone: text };
  if (flow === "email") return { email: text };
  return /^bank_[a-z_]+$/.test(text) ? { token: text } : { iban: text };
}

/** The first message about the place's details, whatever the server's path to them. */
export function detailsError(errors: Record<string, string>): string | undefined {
  const path = Object.keys(errors).find((name) => /^(method|details)(\.|$)/.test(name));
  return path && errors[path];
}

/** A gateway's name for what it asks, in words: "individual.verification.document" → "individual: verification: document" */
export function dueWord(name: string): string {
  return name.replaceAll(".", ": ").replaceAll("_", " ");
}
