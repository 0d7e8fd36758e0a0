/** The actions of a contract page, each one request with its key. */
import { api, body } from "./client";
import type { Attempt } from "./idempotency";

export type MilestoneAction = "start" | "submit" | "request-changes" | "approve" | "refund" | "dispute";

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
