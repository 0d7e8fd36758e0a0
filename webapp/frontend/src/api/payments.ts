/** Paying, saved means of payment, prices in another currency, and money back: each act one request with its key. */
import { api, body } from "./client";
import type { Attempt } from "./idempotency";
import type { ExchangeQuote, FundRequest, Milestone, Payment, PaymentRefund, SavedMethod } from "./types";

const once = () => ({ "Idempotency-Key": crypto.randomUUID() });

export interface PayRequest {
  provider: string;
  method: Record<string, string>;
  quote_id?: number;
  /** Into the wallet; a milestone has its own amount. */
  amount_minor?: number;
  currency?: string;
}

export interface Paid {
  /** Null when the wallet paid. */
  payment: Payment | null;
  milestone: Milestone | null;
}

/** Pays a milestone, or into the wallet. A payment may be refused, or wait: its state says so. Throws ApiError when none was made. */
export async function pay(attempt: Attempt, milestoneId: number | null, request: PayRequest): Promise<Paid> {
  return attempt.run(request, async (key) => {
    const header = { "Idempotency-Key": key };
    if (milestoneId === null) {
      const { provider, method, amount_minor = 0, currency = "" } = request;
      const start = { provider, method, amount_minor, currency };
      return {
        payment: await body(api.POST("/api/v1/me/payments", { params: { header }, body: start })),
        milestone: null,
      };
    }
    const fund: FundRequest = { provider: request.provider, method: request.method, quote_id: request.quote_id };
    const params = { path: { id: milestoneId }, header };
    return body(api.POST("/api/v1/milestones/{id}/fund", { params, body: fund }));
  });
}

/** As we know it. */
export function readPayment(id: number): Promise<Payment> {
  return body(api.GET("/api/v1/payments/{payment_id}", { params: { path: { payment_id: id } } }));
}

/** As the gateway has it now. */
export function refreshPayment(id: number): Promise<Payment> {
  const params = { path: { payment_id: id }, header: once() };
  return body(api.POST("/api/v1/payments/{payment_id}/refresh", { params }));
}

export function cancelPayment(id: number): Promise<Payment> {
  const params = { path: { payment_id: id }, header: once() };
  return body(api.POST("/api/v1/payments/{payment_id}/cancel", { params }));
}

/** The newest payments; what is still open is among them. */
export async function newestPayments(): Promise<Payment[]> {
  return (await body(api.GET("/api/v1/me/payments"))).results;
}

/** A price for `minor` of `currency`, paid in another one. Asking again gives another price, so the key is fresh. */
export function askQuote(minor: number, currency: string, payCurrency: string): Promise<ExchangeQuote> {
  const asked = { amount_minor: minor, currency, pay_currency: payCurrency };
  return body(api.POST("/api/v1/me/exchange-quotes", { params: { header: once() }, body: asked }));
}

/** Money of the wallet back to where it came from: to one payment, or to as many as it takes. */
export async function sendBack(
  attempt: Attempt,
  paymentId: number | null,
  request: { amount_minor: number; currency: string; reason: string },
): Promise<PaymentRefund[]> {
  return attempt.run([paymentId, request], async (key) => {
    const header = { "Idempotency-Key": key };
    if (paymentId === null)
      return (await body(api.POST("/api/v1/me/wallet-refunds", { params: { header }, body: request }))).results;
    const { amount_minor, reason } = request;
    const params = { path: { payment_id: paymentId }, header };
    return [await body(api.POST("/api/v1/payments/{payment_id}/refunds", { params, body: { amount_minor, reason } }))];
  });
}

export async function savedMethods(): Promise<SavedMethod[]> {
  return (await body(api.GET("/api/v1/me/payment-methods"))).results;
}

export function saveMethod(attempt: Attempt, provider: string, details: Record<string, string>): Promise<SavedMethod> {
  return attempt.run([provider, details], (key) =>
    body(
      api.POST("/api/v1/me/payment-methods", {
        params: { header: { "Idempotency-Key": key } },
        body: { provider, details },
      }),
    ),
  );
}

/** The gateway is asked what came of the saving. */
export function refreshMethod(id: number): Promise<SavedMethod> {
  const params = { path: { method_id: id }, header: once() };
  return body(api.POST("/api/v1/me/payment-methods/{method_id}/refresh", { params }));
}

export async function removeMethod(id: number): Promise<void> {
  const params = { path: { method_id: id }, header: once() };
  await body(api.DELETE("/api/v1/me/payment-methods/{method_id}", { params }));
}

export async function offerFirst(id: number): Promise<void> {
  const params = { path: { method_id: id }, header: once() };
  await body(api.POST("/api/v1/me/payment-methods/{method_id}/default", { params }));
}
