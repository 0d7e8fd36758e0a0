/**
 * The one door to the server: a typed client over the OpenAPI document, with session cookie, CSRF token and one error class.
 *
 * Guarantees: a call either returns the body of a 2xx answer or throws ApiError. Never retries by itself: a retry is the
 * person's decision, and `idempotency.ts` makes it safe.
 */
import createClient from "openapi-fetch";

import type { paths } from "./schema";

export interface ErrorBody {
  code: string;
  message: string;
  fields: Record<string, string[]>;
}

/** A refusal by the server, or (status 0, code "unreachable") no answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: Record<string, string[]> = {},
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** True when nobody knows whether the request took effect: the same Idempotency-Key must be used again. */
  get undecided(): boolean {
    return this.status === 0 || this.status >= 500 || this.code === "request_in_progress";
  }

  get signedOut(): boolean {
    return this.status === 401 || this.code === "not_authenticated";
  }
}

const listeners = new Set<() => void>();

/** Calls `listener` whenever the server says that nobody is signed in. Returns the way to stop. */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function csrfToken(): string {
  const found = /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie);
  return found?.[1] ?? "";
}

export const UNREACHABLE = "The server did not answer. Check your connection and try again; nothing you typed is lost.";

/** `fetch` with the CSRF token on unsafe methods; throws ApiError(0) when the server cannot be reached. */
export async function send(input: Request): Promise<Response> {
  if (input.method !== "GET" && input.method !== "HEAD") input.headers.set("X-CSRFToken", csrfToken());
  try {
    return await fetch(input, { credentials: "same-origin" });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError(0, "unreachable", UNREACHABLE);
  }
}

export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: send });

function isErrorBody(body: unknown): body is ErrorBody {
  return typeof body === "object" && body !== null && "code" in body && "message" in body;
}

export function toError(status: number, body: unknown): ApiError {
  if (isErrorBody(body)) return new ApiError(status, body.code, body.message, body.fields ?? {});
  if (status >= 500)
    return new ApiError(
      status,
      "server_error",
      "The server made a mistake. It is noted; please try again in a moment.",
    );
  return new ApiError(status, "error", "The request was not understood. Reload the page and try again.");
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a successful answer. Throws ApiError for every other one, and tells `onSignedOut` listeners. */
export async function body<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  const refusal = toError(response.status, error);
  if (refusal.signedOut) for (const listener of listeners) listener();
  throw refusal;
}
