import { describe, expect, it } from "vitest";
import { bytes, tagOf, whatItMeans } from "./words";

describe("words of the quarantine", () => {
  it("writes sizes", () => {
    expect([0, 900, 1536, 20 * 1024, 5 * 1024 ** 2, 3 * 1024 ** 3].map(bytes)).toEqual(["0 B", "900 B", "1.5 KiB", "20 KiB", "5.0 MiB", "3.0 GiB"]);
  });
  it("writes tags", () => {
    expect(tagOf("00100010")).toBe("(0010,0010)");
  });
  it("tells a corrected header from another picture", () => {
    const held = { reason: "different_content", differences: [] };
    expect(whatItMeans({ ...held, same_pixels: true })).toContain("corrected");
    expect(whatItMeans({ ...held, same_pixels: false })).toContain("Another picture");
    expect(whatItMeans({ ...held, reason: "correction", same_pixels: true })).toContain("Accept takes them");
    expect(whatItMeans({ ...held, reason: "unreadable", same_pixels: null })).toContain("no DICOM object");
  });
});
