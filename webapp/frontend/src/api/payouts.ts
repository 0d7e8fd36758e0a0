/** Where a person is paid to and when: reading and changing it, each change one request with its key. */
import { api, body } from "./client";
import { Attempt } from "./idempotency";
import type { OfferedGateway, Payout, PayoutSchedule, Place } from "./types";

export async function loadPlaces(): Promise<Place[]> {
  return (await body(api.GET("/api/v1/me/payout-methods"))).results;
}

/** The gateways that pay out this currency to the reader. */
export async function payoutGateways(currency: string): Promise<OfferedGateway[]> {
  const query = { currency, purpose: "payout" as const };
  return (await body(api.GET("/api/v1/payment-gateways", { params: { query } }))).results;
}

/** Adds a place, and says where its owner goes on: the address of the gateway's own page, or null when it is ready. */
export async function addPlace(provider: string, method: Record<string, string>): Promise<string | null> {
  const request = { provider, method };
  const made = await new Attempt("place").run(request, (key) =>
    body(api.POST("/api/v1/me/payout-methods", { params: { header: { "Idempotency-Key": key } }, body: request })),
  );
  return made.onboarding?.url ?? null;
}

/** A fresh page of the gateway where its owner completes a place; null where nothing more is asked. */
export async function completePlace(id: number): Promise<string | null> {
  const made = await new Attempt(`place:${id}:onboarding`).run(null, (key) =>
    body(
      api.POST("/api/v1/me/payout-methods/{method_id}/onboarding", {
        params: { path: { method_id: id }, header: { "Idempotency-Key": key } },
      }),
    ),
  );
  return made.onboarding?.url ?? null;
}

/** The owner came back from the gateway's page: ask the gateway how far they are. */
export async function refreshPlace(id: number): Promise<Place> {
  return new Attempt(`place:${id}:refresh`).run(null, (key) =>
    body(
      api.POST("/api/v1/me/payout-methods/{method_id}/refresh", {
        params: { path: { method_id: id }, header: { "Idempotency-Key": key } },
      }),
    ),
  );
}

export async function defaultPlace(id: number): Promise<void> {
  await new Attempt(`place:${id}:default`).run(null, (key) =>
    body(
      api.POST("/api/v1/me/payout-methods/{method_id}/default", {
        params: { path: { method_id: id }, header: { "Idempotency-Key": key } },
      }),
    ),
  );
}

/** Stops using a place. Payouts to it that are not sent yet fail, and their money is on the balance again. */
export async function removePlace(id: number): Promise<void> {
  await new Attempt(`place:${id}:remove`).run(null, (key) =>
    body(
      api.DELETE("/api/v1/me/payout-methods/{method_id}", {
        params: { path: { method_id: id }, header: { "Idempotency-Key": key } },
      }),
    ),
  );
}

export async function askForPayout(amountMinor: number, currency: string, placeId: number): Promise<Payout> {
  const request = { amount_minor: amountMinor, currency, method_id: placeId };
  return new Attempt("payout").run(request, (key) =>
    body(api.POST("/api/v1/me/payouts", { params: { header: { "Idempotency-Key": key } }, body: request })),
  );
}

export async function putSchedule(
  currency: string,
  request: { pace: PayoutSchedule["pace"]; least_minor?: number; method_id: number | null },
): Promise<PayoutSchedule> {
  return new Attempt(`payout-schedule:${currency}`).run(request, (key) =>
    body(
      api.PUT("/api/v1/me/payout-schedules/{currency}", {
        params: { path: { currency }, header: { "Idempotency-Key": key } },
        body: request,
      }),
    ),
  );
}
