/**
 * Who is signed in. The session is a cookie that scripts cannot read; this module asks the server and keeps the answer.
 *
 * Sign-in, sign-up and verification go through the headless authentication API, which answers 401 with the step that is
 * still missing ("flows"): `SignInStep` names it.
 */
import { computed, reactive } from "vue";

import { api, ApiError, body, csrfToken, send } from "./client";
import type { Me } from "./types";
import { zoneOfBrowser } from "@/lib/time";

const AUTH = "/_allauth/browser/v1";

export type SignInStep = "done" | "verify_email" | "mfa_authenticate";

interface State {
  me: Me | null;
  known: boolean;
  /** Server clock minus this device's clock, in milliseconds. The business clock may be moved. */
  clockOffset: number;
  clockMovable: boolean;
}

const state = reactive<State>({ me: null, known: false, clockOffset: 0, clockMovable: false });

export const session: Readonly<State> = state;
export const zone = computed(() => {
  const own = state.me?.time_zone;
  return own && own !== "UTC" ? own : zoneOfBrowser();
});

/** Now on the server's business clock, in milliseconds. */
export function businessNow(): number {
  return Date.now() + state.clockOffset;
}

interface AuthAnswer {
  status: number;
  data?: { flows?: { id: string; is_pending?: boolean }[] };
  errors?: { code: string; message: string; param?: string }[];
}

async function auth(method: "GET" | "POST" | "DELETE", path: string, json?: unknown): Promise<AuthAnswer> {
  if (method !== "GET" && !csrfToken()) await send(new Request(`${AUTH}/config`));
  const response = await send(
    new Request(AUTH + path, {
      method,
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: json === undefined ? undefined : JSON.stringify(json),
    }),
  );
  const answer = (await response.json().catch(() => ({}))) as AuthAnswer;
  if (response.status === 429)
    throw new ApiError(429, "too_many", "Too many tries. Wait a few minutes before you try again.");
  if (response.status >= 500)
    throw new ApiError(response.status, "server_error", "The server made a mistake. Please try again in a moment.");
  if (response.status === 400) throw refusal(answer);
  if (response.status === 403)
    throw new ApiError(403, "forbidden", "The server refused this. Reload the page and try again.");
  return { ...answer, status: response.status };
}

function refusal(answer: AuthAnswer): ApiError {
  const fields: Record<string, string[]> = {};
  const general: string[] = [];
  for (const error of answer.errors ?? []) {
    if (error.param) (fields[error.param] ??= []).push(error.message);
    else general.push(error.message);
  }
  return new ApiError(
    400,
    "invalid",
    general.join(" ") || "Please correct the marked fields and send it again.",
    fields,
  );
}

async function stepAfter(answer: AuthAnswer): Promise<SignInStep> {
  // 409: somebody is signed in already, in another tab for instance.
  if (answer.status === 200 || answer.status === 409) {
    await loadSession();
    return "done";
  }
  const pending = answer.data?.flows?.find((flow) => flow.is_pending)?.id;
  if (pending === "verify_email" || pending === "mfa_authenticate") return pending;
  throw new ApiError(
    answer.status,
    "unknown_step",
    "This account needs a sign-in step that the web app does not offer.",
  );
}

/** Asks the server who is signed in and what time it is. Throws ApiError(0) when it cannot be reached. */
export async function loadSession(): Promise<void> {
  await loadClock();
  try {
    state.me = await body(api.GET("/api/v1/me"));
  } catch (error) {
    if (!(error instanceof ApiError && error.signedOut)) throw error;
    state.me = null;
  }
  state.known = true;
}

export async function loadClock(): Promise<void> {
  try {
    const clock = await body(api.GET("/api/v1/clock"));
    state.clockOffset = new Date(clock.now).getTime() - Date.now();
    state.clockMovable = clock.movable;
  } catch (error) {
    if (!(error instanceof ApiError && error.signedOut)) throw error;
  }
}

export function rememberMe(me: Me): void {
  state.me = me;
}

export function forgetSession(): void {
  state.me = null;
  state.known = true;
}

export async function signIn(email: string, password: string): Promise<SignInStep> {
  return stepAfter(await auth("POST", "/auth/login", { email, password }));
}

export async function answerSecondFactor(code: string): Promise<SignInStep> {
  return stepAfter(await auth("POST", "/auth/2fa/authenticate", { code }));
}

export async function signUp(email: string, password: string): Promise<SignInStep> {
  return stepAfter(await auth("POST", "/auth/signup", { email, password }));
}

/** Confirms the code of the e-mail. A new account also learns the device's time zone. */
export async function verifyEmail(key: string): Promise<SignInStep> {
  const step = await stepAfter(await auth("POST", "/auth/email/verify", { key }));
  if (step === "done" && state.me?.time_zone === "UTC" && zoneOfBrowser() !== "UTC") {
    state.me = await body(api.PATCH("/api/v1/me", { body: { time_zone: zoneOfBrowser() } }));
  }
  return step;
}

export async function resendCode(): Promise<void> {
  await auth("POST", "/auth/email/verify/resend");
}

export async function signOut(): Promise<void> {
  await auth("DELETE", "/auth/session");
  forgetSession();
}
