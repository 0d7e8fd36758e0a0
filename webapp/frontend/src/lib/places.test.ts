import { describe, expect, it } from "vitest";

import { detailsError, gatewayField, gatewayName, isReady, placeDetails, waits, dueWord } from "./places";

describe("what a gateway is told of a place", () => {
  it("takes a number, an address and an account each in its own form", () => {
    expect(placeDetails("phone", " 0712 345678 ")).toEqual({ phone: "0712 345678" });
    expect(placeDetails("email", "bob@example.org")).toEqual({ email: "bob@example.org" });
    expect(placeDetails("token", "DE89 3704 0044 0532 0130 00")).toEqual({ iban: "DE89 3704 0044 0532 0130 00" });
    expect(placeDetails("token", "bank_closed")).toEqual({ token: "bank_closed" });
  });

  it("is nothing as long as nothing was typed", () => {
    expect(placeDetails("phone", "  ")).toBeUndefined();
  });

  it("asks for nothing where the gateway asks itself", () => {
    const gateway = { provider: "stripe", saves_methods: true, refunds: true, publishable_key: "" };
    expect(gatewayField({ ...gateway, flow: "onboarding" })).toBeNull();
    expect(gatewayField({ ...gateway, provider: "mpesa", flow: "phone" })?.label).toBe("M-Pesa number");
    expect(gatewayName("mpesa")).toBe("M-Pesa");
    expect(gatewayName("newcomer")).toBe("newcomer");
  });

  it("finds the message wherever the server puts it, and no other", () => {
    expect(detailsError({ "method.iban": "Not an IBAN." })).toBe("Not an IBAN.");
    expect(detailsError({ method: "Say where." })).toBe("Say where.");
    expect(detailsError({ method_id: "Gone.", currency: "Unknown." })).toBeUndefined();
  });
});

describe("a place", () => {
  const place = { state: "ready" as const, usable_at: "2026-03-05T12:00:00Z" };
  const at = Date.parse("2026-03-05T12:00:00Z");

  it("waits until its time, and not a moment longer", () => {
    expect(waits(place, at - 1)).toBe(true);
    expect(waits(place, at)).toBe(false);
  });

  it("lacks what its gateway asks for, in words", () => {
    expect(dueWord("individual.id_number")).toBe("individual: id number");
  });

  it("that was never ready does not wait, it is not there yet", () => {
    const begun = { ...place, state: "onboarding" as const, usable_at: null };
    expect(isReady(begun)).toBe(false);
    expect(waits(begun, at)).toBe(false);
    expect(isReady(place)).toBe(true);
  });
});
