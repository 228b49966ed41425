import { describe, expect, it } from "vitest";
import { age, clock, clockSeconds, day, dayClock, exact, HOUR, inPlaces, left, MINUTE, near, offset, plainDate, relative, span, zoneCity } from "./time";

const OSLO = "Europe/Oslo";
const SYDNEY = "Australia/Sydney";

describe("clock", () => {
  it("shows the same instant in each zone", () => {
    const at = "2026-11-25T01:41:07Z";
    expect(clock(at, "UTC")).toBe("01:41");
    expect(clock(at, OSLO)).toBe("02:41");
    expect(clock(at, SYDNEY)).toBe("12:41");
    expect(clock(at, "America/Chicago")).toBe("19:41");
    expect(clock(at, "Africa/Nairobi")).toBe("04:41");
    expect(clockSeconds(at, OSLO)).toBe("02:41:07");
  });

  it("follows the clocks forward and back", () => {
    // Oslo, 29 March 2026: 02:00 becomes 03:00.
    expect(clock("2026-03-29T00:59:00Z", OSLO)).toBe("01:59");
    expect(clock("2026-03-29T01:00:00Z", OSLO)).toBe("03:00");
    // Oslo, 25 October 2026: 03:00 becomes 02:00, so 02:30 comes twice; the offset tells which.
    expect(clock("2026-10-25T00:30:00Z", OSLO)).toBe("02:30");
    expect(clock("2026-10-25T01:30:00Z", OSLO)).toBe("02:30");
    expect(offset("2026-10-25T00:30:00Z", OSLO)).toBe("UTC+2");
    expect(offset("2026-10-25T01:30:00Z", OSLO)).toBe("UTC+1");
    // Sydney goes the other way, on other days.
    expect(offset("2026-10-03T15:59:00Z", SYDNEY)).toBe("UTC+10");
    expect(offset("2026-10-03T16:00:00Z", SYDNEY)).toBe("UTC+11");
  });

  it("writes midnight as 00, not 24", () => {
    expect(clock("2026-11-24T23:00:00Z", OSLO)).toBe("00:00");
    expect(dayClock("2026-11-24T23:00:00Z", OSLO)).toBe("25 Nov 2026 00:00");
  });

  it("keeps three letters for every month", () => {
    expect(day("2026-09-30T12:00:00Z", "UTC")).toBe("30 Sep 2026");
  });
});

describe("near", () => {
  const now = "2026-11-25T01:41:00Z";
  it("drops what is plain", () => {
    expect(near("2026-11-25T05:00:00Z", OSLO, now)).toBe("06:00");
    expect(near("2026-11-23T05:00:00Z", OSLO, now)).toBe("Mon 06:00");
    expect(near("2026-11-03T05:00:00Z", OSLO, now)).toBe("03 Nov 06:00");
    expect(near("2025-11-03T05:00:00Z", OSLO, now)).toBe("03 Nov 2025 06:00");
  });
  it("judges the day in the zone, not in UTC", () => {
    expect(near("2026-11-24T23:30:00Z", OSLO, now)).toBe("00:30");
    expect(near("2026-11-24T22:30:00Z", OSLO, now)).toBe("Tue 23:30");
  });
});

describe("inPlaces", () => {
  it("names each place, and the weekday where it differs", () => {
    const places = [
      { zone: OSLO, label: "Norfjord" },
      { zone: SYDNEY, label: "Sydney" },
    ];
    expect(inPlaces("2026-11-25T01:53:00Z", places)).toBe("02:53 Norfjord · 12:53 Sydney");
    expect(inPlaces("2026-11-25T14:30:00Z", places)).toBe("15:30 Norfjord · Thu 01:30 Sydney");
    expect(inPlaces("2026-11-25T14:30:00Z", [])).toBe("14:30 UTC");
  });
  it("names a zone by its city", () => {
    expect(zoneCity("America/Argentina/Buenos_Aires")).toBe("Buenos Aires");
  });
});

describe("left", () => {
  it("counts minutes to two hours, then hours", () => {
    expect(left(12.9 * MINUTE)).toEqual({ sign: "", value: "12", unit: "min", rest: "" });
    expect(left(119 * MINUTE)).toMatchObject({ value: "119", unit: "min" });
    expect(left(131 * MINUTE)).toEqual({ sign: "", value: "2", unit: "h", rest: "11" });
    expect(left(50 * HOUR)).toMatchObject({ value: "2", unit: "d", rest: "02 h" });
  });
  it("counts seconds in the last five minutes", () => {
    expect(left(5 * MINUTE - 1)).toMatchObject({ value: "4:59", unit: "" });
    expect(left(9000)).toMatchObject({ value: "0:09" });
    expect(left(0)).toMatchObject({ sign: "", value: "0:00" });
  });
  it("says minus once the promise is broken, from the first second", () => {
    expect(left(-1)).toMatchObject({ sign: "−", value: "0", unit: "min" });
    expect(left(-4.5 * MINUTE)).toMatchObject({ sign: "−", value: "4", unit: "min" });
    expect(left(-3 * HOUR)).toMatchObject({ sign: "−", value: "3", unit: "h", rest: "00" });
  });
});

describe("words", () => {
  it("tells spans and distances", () => {
    expect(span(9_400)).toBe("9 s");
    expect(span(52 * MINUTE)).toBe("52 min");
    expect(span(3 * HOUR)).toBe("3 h");
    expect(span(27 * HOUR)).toBe("1 d 3 h");
    expect(relative("2026-11-25T01:53:00Z", "2026-11-25T01:41:00Z")).toBe("in 12 min");
    expect(relative("2026-11-25T01:37:00Z", "2026-11-25T01:41:00Z")).toBe("4 min ago");
    expect(relative("2026-11-25T01:41:03Z", "2026-11-25T01:41:00Z")).toBe("now");
  });
  it("tells intervals to the second", () => {
    expect(exact(30_000)).toBe("0:30");
    expect(exact(941_000)).toBe("15:41");
    expect(exact(3_723_000)).toBe("1:02:03");
  });
  it("an hour across a clock change is an hour", () => {
    expect(exact(Date.parse("2026-03-29T01:30:00Z") - Date.parse("2026-03-29T00:30:00Z"))).toBe("1:00:00");
  });
  it("refuses what is no instant", () => {
    expect(() => clock("yesterday", "UTC")).toThrow(RangeError);
  });
});

describe("birth dates", () => {
  it("are plain dates: no zone moves them", () => {
    expect(plainDate("1958-03-14")).toBe("14 Mar 1958");
    expect(plainDate("1958-03")).toBe("Mar 1958");
    expect(plainDate("1958")).toBe("1958");
  });
  it("give an age in the unit people use", () => {
    const at = "2026-11-25T01:41:00Z";
    expect(age("1958-03-14", at)).toBe("68 y");
    expect(age("1958-11-25", at)).toBe("68 y");
    expect(age("1958-11-26", at)).toBe("67 y");
    expect(age("2026-11-20", at)).toBe("5 d");
    expect(age("2026-10-01", at)).toBe("7 w");
    expect(age("2025-09-20", at)).toBe("14 mo");
    expect(age("1980", at)).toBe("~46 y");
  });
  it("turns a year older at midnight of the place", () => {
    expect(age("1990-11-26", "2026-11-25T14:00:00Z", SYDNEY)).toBe("36 y");
    expect(age("1990-11-26", "2026-11-25T14:00:00Z", OSLO)).toBe("35 y");
  });
});
