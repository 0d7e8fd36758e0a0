/** The actions of a contract page, each one request with its key. */
import { api, ApiError, body } from "./client";
import type { Attempt } from "./idempotency";
import type { FundRequest } from "./types";

export type MilestoneAction = "start" | "submit" | "request-changes" | "approve" | "refund" | "dispute";

/**
 * Pays a milestone with a sandbox card's token, or from the client's own wallet ("wallet"). Says what came of it: a payment
 * may be confirmed later. Throws ApiError when it was refused.
 */
export async function fund(attempt: Attempt, id: number, source: string): Promise<string> {
  const request: FundRequest =
    source === "wallet" ? { provider: "wallet", method: {} } : { provider: "sandbox", method: { token: source } };
  const { payment, milestone } = await attempt.run(request, (key) =>
    body(
      api.POST("/api/v1/milestones/{id}/fund", {
        params: { path: { id }, header: { "Idempotency-Key": key } },
        body: request,
      }),
    ),
  );
  if (milestone.state === "funded") return "Funded: the money is held.";
  if (payment && ["failed", "cancelled"].includes(payment.state))
    throw new ApiError(409, "payment_failed", "The payment was refused. Choose another way to pay; nothing was taken.");
  return "The payment is on its way. The milestone is funded as soon as the gateway confirms it.";
}

export async function milestoneAct(
  attempt: Attempt,
  id: number,
  action: MilestoneAction,
  text: string,
  unmet: number[],
): Promise<void> {
  await attempt.run([action, text, unmet], async (key) => {
    const params = { path: { id }, header: { "Idempotency-Key": key } };
    switch (action) {
      case "submit":
        await body(api.POST("/api/v1/milestones/{id}/submit", { params, body: { note: text } }));
        return;
      case "request-changes":
        await body(api.POST("/api/v1/milestones/{id}/request-changes", { params, body: { text, unmet } }));
        return;
      case "dispute":
        await body(api.POST("/api/v1/milestones/{id}/dispute", { params, body: { claim: text } }));
        return;
      case "refund":
        await body(api.POST("/api/v1/milestones/{id}/refund", { params, body: { reason: text } }));
        return;
      default:
        await body(api.POST(`/api/v1/milestones/{id}/${action}`, { params }));
    }
  });
}
