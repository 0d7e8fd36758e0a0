import { beforeEach, describe, expect, it } from "vitest";

import { leavingOf, pageBefore, rememberLeaving } from "./comeback";

class Memory {
  kept = new Map<string, string>();
  getItem = (key: string) => this.kept.get(key) ?? null;
  setItem = (key: string, value: string) => void this.kept.set(key, value);
  removeItem = (key: string) => void this.kept.delete(key);
}

describe("coming back from a gateway's page", () => {
  let store: Memory;
  beforeEach(() => (store = new Memory()));

  it("finds what was left for, and its page", () => {
    rememberLeaving({ kind: "payment", id: 7, to: "/contracts/3" }, store);
    expect(leavingOf(store)).toEqual({ kind: "payment", id: 7, to: "/contracts/3" });
    expect(pageBefore(7, store)).toBe("/contracts/3");
    expect(pageBefore(8, store)).toBeUndefined();
  });

  it.each([
    "",
    "{",
    "null",
    '{"kind":"other","id":1,"to":"/"}',
    '{"kind":"payment","id":"1","to":"/"}',
    '{"kind":"payment","id":0}',
  ])("forgets what is not its own: %s", (text) => {
    store.setItem("paying", text);
    expect(leavingOf(store)).toBeUndefined();
    expect(store.kept.size).toBe(0);
  });

  it("leads only to pages of this site", () => {
    for (const to of ["https://evil.example", "//evil.example", "javascript:x"]) {
      rememberLeaving({ kind: "payment", id: 7, to }, store);
      expect(pageBefore(7, store)).toBeUndefined();
    }
    rememberLeaving({ kind: "method", id: 7, to: "/wallet" }, store);
    expect(pageBefore(7, store)).toBeUndefined();
  });
});
