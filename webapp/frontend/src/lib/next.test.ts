import { describe, expect, it } from "vitest";

import { safeNext } from "./next";

describe("where sign-in leads", () => {
  it("is an address of this site, else the start", () => {
    expect(safeNext("/jobs/7?x=1#y")).toBe("/jobs/7?x=1#y");
    for (const hostile of [
      "https://evil.example",
      "//evil.example",
      "/\\evil.example",
      "/\t/evil.example",
      "javascript:alert(1)",
      "",
      undefined,
      ["/jobs"],
    ]) {
      expect(safeNext(hostile)).toBe("/");
    }
  });
});
