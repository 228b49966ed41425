import { describe, expect, it } from "vitest";
import { northIsDark, subsolar, sunHeight, sunset, terminator } from "./sun";

const at = (text: string) => Date.parse(text);

describe("the sun", () => {
  it("stands over the tropics at the solstices and the equator at the equinox", () => {
    expect(subsolar(at("2026-06-21T12:00:00Z")).lat).toBeCloseTo(23.4, 0);
    expect(subsolar(at("2026-12-21T12:00:00Z")).lat).toBeCloseTo(-23.4, 0);
    expect(Math.abs(subsolar(at("2026-09-23T06:00:00Z")).lat)).toBeLessThan(0.5);
  });
  it("is over Greenwich about noon", () => {
    expect(Math.abs(subsolar(at("2026-11-25T12:00:00Z")).lon)).toBeLessThan(5);
  });
  it("is up in Sydney while Zurich and Boston sleep", () => {
    const now = at("2026-11-25T01:41:00Z");
    expect(sunHeight(now, 151.2, -33.9)).toBeGreaterThan(50);
    expect(sunHeight(now, 8.5, 47.4)).toBeLessThan(-20);
    expect(sunHeight(now, -71.1, 42.4)).toBeLessThan(-20);
    expect(northIsDark(now)).toBe(true);
  });
  it("sets in Sydney in the evening of 25 November 2026 at 19:46", () => {
    const set = sunset(at("2026-11-25T01:41:00Z"), 151.2, -33.9);
    expect(Math.abs((set ?? 0) - at("2026-11-25T08:46:00Z"))).toBeLessThan(3 * 60_000);
  });
  it("stands on the horizon along the terminator", () => {
    const now = at("2026-11-25T01:41:00Z");
    for (const lon of [-170, -60, 10, 100]) expect(Math.abs(sunHeight(now, lon, terminator(now, lon)))).toBeLessThan(0.01);
  });
});
