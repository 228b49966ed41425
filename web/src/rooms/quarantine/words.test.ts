import { describe, expect, it } from "vitest";
import { bytes, fullness, tagOf, whatItMeans } from "./words";

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
  it("tells how full the fullest quarantine is", () => {
    const room = (organization_name: string, objects: number, mib: number) => ({ organization_id: organization_name, organization_name, objects, most_objects: 1000, size: mib * 1024 ** 2, most_size: 2048 * 1024 ** 2 });
    expect(fullness([])).toBeNull();
    expect(fullness([room("Norfjord", 3, 12)])).toEqual({ words: "12 of 2048 MB kept, 3 of 1000 objects", state: "room" });
    expect(fullness([room("Norfjord", 3, 0.4)])?.words).toContain("<1 of 2048 MB");
    expect(fullness([room("Norfjord", 3, 12), room("Llano Verde", 4, 1639)])).toEqual({ words: "Llano Verde: 1639 of 2048 MB kept, 4 of 1000 objects", state: "near" });
    expect(fullness([room("Norfjord", 1000, 1)])?.state).toBe("full");
    expect(fullness([{ ...room("Norfjord", 0, 0), most_objects: 0 }])?.state).toBe("full");
  });
});
