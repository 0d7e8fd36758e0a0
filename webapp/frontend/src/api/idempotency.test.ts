import { beforeEach, describe, expect, it, vi } from "vitest";

vi.stubGlobal("window", { location: { origin: "http://localhost" } });
const { ApiError } = await import("./client");
const { Attempt } = await import("./idempotency");

class Memory {
  kept = new Map<string, string>();
  getItem = (key: string) => this.kept.get(key) ?? null;
  setItem = (key: string, value: string) => void this.kept.set(key, value);
  removeItem = (key: string) => void this.kept.delete(key);
}

describe("an attempt's key", () => {
  let store: Memory;
  let made: number;
  const attempt = () => new Attempt("proposal:1", store, () => `key-${++made}`);
  const failing = (error: Error) => (key: string) => Promise.reject(Object.assign(error, { key }));

  beforeEach(() => {
    store = new Memory();
    made = 0;
  });

  it.each([
    new ApiError(0, "unreachable", ""),
    new ApiError(503, "unavailable", ""),
    new ApiError(409, "request_in_progress", ""),
  ])("stays for a retry while the outcome is unknown (%o), also after a reload", async (error) => {
    await expect(attempt().run({ a: 1 }, failing(error))).rejects.toBe(error);
    expect(await attempt().run({ a: 1 }, (key) => Promise.resolve(key))).toBe("key-1");
  });

  it("is fresh when the request changed", async () => {
    await expect(attempt().run({ a: 1 }, failing(new ApiError(0, "unreachable", "")))).rejects.toThrow();
    expect(await attempt().run({ a: 2 }, (key) => Promise.resolve(key))).toBe("key-2");
  });

  it("is fresh after a refusal and after success", async () => {
    await expect(attempt().run({ a: 1 }, failing(new ApiError(400, "invalid", "")))).rejects.toThrow();
    expect(await attempt().run({ a: 1 }, (key) => Promise.resolve(key))).toBe("key-2");
    expect(await attempt().run({ a: 1 }, (key) => Promise.resolve(key))).toBe("key-3");
  });

  it("tells of a request whose outcome is unknown until it is known or given up", async () => {
    const request = { provider: "sandbox", amount_minor: 5 };
    expect(attempt().undecided).toBeUndefined();
    await expect(attempt().run(request, failing(new ApiError(0, "unreachable", "")))).rejects.toThrow();
    expect(attempt().undecided).toEqual(request);
    expect(await attempt().run(attempt().undecided, (key) => Promise.resolve(key))).toBe("key-1");
    expect(attempt().undecided).toBeUndefined();

    await expect(attempt().run(request, failing(new ApiError(503, "unavailable", "")))).rejects.toThrow();
    attempt().giveUp();
    expect(attempt().undecided).toBeUndefined();
    expect(await attempt().run(request, (key) => Promise.resolve(key))).toBe("key-3");
  });
});
