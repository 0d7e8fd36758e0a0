import { afterEach, describe, expect, it, vi } from "vitest";

interface Script {
  src: string;
  onload?: () => void;
  onerror?: () => void;
  remove: () => void;
}

const scripts: Script[] = [];
const page = { Stripe: undefined as unknown };
vi.stubGlobal("window", page);
vi.stubGlobal("document", {
  createElement: () => ({ src: "", remove: () => scripts.pop() }),
  head: { append: (script: Script) => scripts.push(script) },
});
const { stripeFor } = await import("./stripe");

describe("Stripe's script", () => {
  afterEach(() => scripts.splice(0));

  it("is not loaded without a publishable key", async () => {
    for (const key of ["", "sk_test_1", "pk_test_", "pk_test_1 x", "https://evil.example"])
      await expect(stripeFor(key)).rejects.toThrow("not a publishable key");
    expect(scripts).toEqual([]);
  });

  it("comes from Stripe's address, once, and is tried again after it failed", async () => {
    const first = stripeFor("pk_test_51AbC");
    expect(scripts.map((s) => s.src)).toEqual(["https://js.stripe.com/v3/"]);
    scripts[0]?.onerror?.();
    await expect(first).rejects.toThrow("did not load");
    expect(scripts).toEqual([]);

    const [second, third] = [stripeFor("pk_test_51AbC"), stripeFor("pk_test_51AbC")];
    expect(scripts).toHaveLength(1);
    page.Stripe = (key: string) => ({ key });
    scripts[0]?.onload?.();
    expect(await second).toEqual({ key: "pk_test_51AbC" });
    expect(await third).toEqual({ key: "pk_test_51AbC" });
    await stripeFor("pk_live_2");
    expect(scripts).toHaveLength(1);
  });
});
