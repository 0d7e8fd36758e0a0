import { describe, expect, it } from "vitest";

import { documentFile, documentFileName, documentTitle, partyPlace, rateText } from "./documents";

describe("a document in words", () => {
  it("says what it is and what it is about", () => {
    expect(documentTitle({ kind: "invoice", about: "fee" })).toBe("Invoice: Openlance's fee");
    expect(documentTitle({ kind: "credit_note", about: "work" })).toBe("Credit note: work");
  });

  it("leaves out what a party has not given", () => {
    const party = { name: "Bob", street: "", postcode: "", city: "Nairobi", country: "KE", vat_id: "" };
    expect(partyPlace(party)).toBe("Nairobi, KE");
    expect(partyPlace({ ...party, postcode: "00100", vat_id: "P051" })).toBe("00100 Nairobi, KE, VAT P051");
  });

  it("writes rates without rounding", () => {
    expect(rateText(750)).toBe("7.5\u00a0%");
  });

  it("has a file name that every system takes", () => {
    expect(documentFileName("INV-000012", "pdf")).toBe("INV-000012.pdf");
    expect(documentFileName("7/2026 №4", "xml")).toBe("7-2026-4.xml");
    expect(documentFile(12, "pdf", "")).toBe("/api/v1/documents/12/pdf");
    expect(documentFile(12, "xml", "de")).toBe("/api/v1/documents/12/xml?language=de");
  });
});
