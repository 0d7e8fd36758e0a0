import { describe, expect, it } from "vitest";

import { clearDraft, loadDraft, sameContent, saveDraft } from "./draft";

function memory() {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

describe("a draft", () => {
  it("is there until it is cleared", () => {
    const store = memory();
    saveDraft("proposal:1", { cover_letter: "Dear" }, store);
    expect(loadDraft("proposal:1", store)).toEqual({ cover_letter: "Dear" });
    expect(loadDraft("proposal:2", store)).toBeUndefined();
    clearDraft("proposal:1", store);
    expect(loadDraft("proposal:1", store)).toBeUndefined();
  });

  it("is lost without harm when storage is broken, full or forbidden", () => {
    const broken = { ...memory(), getItem: () => "{not json" };
    const full = {
      ...memory(),
      setItem: () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    };
    expect(loadDraft("x", broken)).toBeUndefined();
    expect(() => saveDraft("x", {}, full)).not.toThrow();
  });

  it("is only worth keeping when something was typed", () => {
    const blank = { amount: "", answers: [] as string[], rating: 0 };
    expect(sameContent({ ...blank, answers: ["", ""] }, blank)).toBe(true);
    expect(sameContent({ ...blank, answers: ["", "yes"] }, blank)).toBe(false);
    expect(sameContent({ ...blank, rating: 3 }, blank)).toBe(false);
  });
});
