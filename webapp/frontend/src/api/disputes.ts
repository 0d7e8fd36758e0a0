/** The actions of a dispute's page, each one request with its key. */
import { api, body } from "./client";
import type { Attempt } from "./idempotency";

export type DisputeAction =
  "respond" | "accept-claim" | "offer" | "accept" | "evidence" | "appeal" | "decide" | "settle" | "withdraw";

/** `text` is the answer, the evidence or the reason; `toFreelancer` the freelancer's part of `held`, all in minor units. */
export async function disputeAct(
  attempt: Attempt,
  id: number,
  action: DisputeAction,
  { text = "", toFreelancer = 0, held = 0 }: { text?: string; toFreelancer?: number; held?: number },
): Promise<void> {
  await attempt.run([action, text, toFreelancer], async (key) => {
    const params = { path: { id }, header: { "Idempotency-Key": key } };
    const split = { to_freelancer_minor: toFreelancer, to_client_minor: held - toFreelancer, reason: text };
    switch (action) {
      case "respond":
      case "accept-claim": {
        const answer = { text, accept: action === "accept-claim" };
        await body(api.POST("/api/v1/disputes/{id}/respond", { params, body: answer }));
        return;
      }
      case "offer":
        await body(api.POST("/api/v1/disputes/{id}/offer", { params, body: { to_freelancer_minor: toFreelancer } }));
        return;
      case "evidence":
        await body(api.POST("/api/v1/disputes/{id}/evidence", { params, body: { text } }));
        return;
      case "appeal":
        await body(api.POST("/api/v1/disputes/{id}/appeal", { params, body: { reason: text } }));
        return;
      case "decide":
      case "settle":
        await body(api.POST(`/api/v1/disputes/{id}/${action}`, { params, body: split }));
        return;
      default:
        await body(api.POST(`/api/v1/disputes/{id}/${action}`, { params }));
    }
  });
}
