/** Invoices, credit notes and receipts in words. */
import type { MoneyDocument } from "@/api/types";

export const DOCUMENT_KINDS = [
  { value: "invoice", text: "Invoice" },
  { value: "credit_note", text: "Credit note" },
  { value: "receipt", text: "Receipt" },
] as const;

export const DOCUMENT_ABOUT = [
  { value: "work", text: "Work" },
  { value: "fee", text: "Openlance's fee" },
  { value: "deposit", text: "Money paid in" },
  { value: "card_refund", text: "Money sent back" },
] as const;

export function documentTitle(document: Pick<MoneyDocument, "kind" | "about">): string {
  const kind = DOCUMENT_KINDS.find((k) => k.value === document.kind)?.text ?? document.kind;
  const about = DOCUMENT_ABOUT.find((a) => a.value === document.about)?.text ?? document.about;
  return `${kind}: ${about.charAt(0).toLowerCase()}${about.slice(1)}`.replace("openlance", "Openlance");
}

/** "Berlin, DE" and the VAT number, as far as they are known. */
export function partyPlace(party: MoneyDocument["issuer"]): string {
  const town = [party.postcode, party.city].filter(Boolean).join(" ");
  return [party.street, town, party.country, party.vat_id && `VAT ${party.vat_id}`].filter(Boolean).join(", ");
}

/** "19 %", "7.5 %" from hundredths of a per cent. */
export function rateText(bps: number): string {
  return `${bps / 100}\u00a0%`;
}

/** Path of a document's file; without a language in its own. */
export function documentFile(id: number, form: "pdf" | "xml", language: string): string {
  return `/api/v1/documents/${id}/${form}${language ? `?language=${language}` : ""}`;
}

/** A file name that every system takes: "INV-000012.pdf" */
export function documentFileName(label: string, form: "pdf" | "xml"): string {
  return `${label.replace(/[^\p{L}\p{N}._-]+/gu, "-") || "document"}.${form}`;
}
