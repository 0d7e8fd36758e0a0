import { describe, expect, it, vi } from "vitest";

vi.stubGlobal("window", { location: { origin: "http://localhost" } });
const { ApiError } = await import("./client");
const { Estimates } = await import("./estimates");

const usd = (minor: number) => ({ minor, currency: "USD" });
const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("estimates", () => {
  it("are asked for together and once", async () => {
    const calls: [string[], string][] = [];
    const estimates = new Estimates((amounts, currency) => {
      calls.push([amounts, currency]);
      return Promise.resolve(amounts.map((text) => (text === "2.USD" ? null : { minor: 9, currency })));
    });
    for (const minor of [1, 2, 1]) expect(estimates.of(usd(minor), "EUR")).toBeUndefined();
    await settled();
    expect(calls).toEqual([[["1.USD", "2.USD"], "EUR"]]);
    expect(estimates.of(usd(1), "EUR")).toEqual({ minor: 9, currency: "EUR" });
    expect(estimates.of(usd(2), "EUR")).toBeUndefined();
    await settled();
    expect(calls).toHaveLength(1);
  });

  it("are asked for twenty at a time", async () => {
    const sizes: number[] = [];
    const estimates = new Estimates((amounts, currency) => {
      sizes.push(amounts.length);
      return Promise.resolve(amounts.map(() => ({ minor: 1, currency })));
    });
    for (let minor = 1; minor <= 45; minor++) estimates.of(usd(minor), "EUR");
    await settled();
    expect(sizes).toEqual([20, 20, 5]);
  });

  it("are not asked for where there is nothing to convert, and missing without an answer", async () => {
    let calls = 0;
    const estimates = new Estimates(() => {
      calls++;
      return Promise.reject(new ApiError(0, "unreachable", ""));
    });
    estimates.of(usd(5), "USD");
    estimates.of(usd(0), "EUR");
    estimates.of(usd(5), "");
    await settled();
    expect(calls).toBe(0);
    estimates.of(usd(5), "EUR");
    await settled();
    expect(calls).toBe(1);
    expect(estimates.of(usd(5), "EUR")).toBeUndefined();
  });
});
