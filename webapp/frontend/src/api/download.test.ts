import { describe, expect, it, vi } from "vitest";

vi.stubGlobal("window", { location: { origin: "http://localhost" } });
const { fileNameOf } = await import("./download");

describe("the name of a downloaded file", () => {
  it("is the server's, as long as it is a plain name", () => {
    expect(fileNameOf('attachment; filename="statement.csv"')).toBe("statement.csv");
    expect(fileNameOf('attachment; filename="../secret"')).toBeUndefined();
    expect(fileNameOf("attachment")).toBeUndefined();
    expect(fileNameOf(null)).toBeUndefined();
  });
});
