import { describe, expect, it } from "vitest";
import { ApiError } from "../../api/client";
import { problemsOf, refusalOf } from "./RecordDialog";
import type { ReaderFacts } from "./types";
import { deletionState, echoWords, endOfDay, instantIn, jurisdictionName, lastDay, lastDayField, leftWords, nodePurposes, runsOut, shiftTimes, standing, studyLine } from "./words";

const NOW = Date.parse("2026-11-25T01:41:00Z");

describe("validity", () => {
  it("is told by its last day and kept by its end", () => {
    expect(endOfDay("2027-03-31")).toBe("2027-04-01T00:00:00.000Z");
    expect(lastDay("2027-04-01T00:00:00Z")).toBe("31 Mar 2027");
    expect(lastDayField("2027-04-01T00:00:00Z")).toBe("2027-03-31");
    expect([endOfDay(""), lastDay(null), lastDayField(null)]).toEqual([null, "open", ""]);
  });
  it.each([
    ["valid", "2025-01-01T00:00:00Z", null, "active", "open"],
    ["soon", "2025-01-01T00:00:00Z", "2027-03-03T00:00:00Z", "active", "98 d"],
    ["ended", "2025-01-01T00:00:00Z", "2026-11-25T01:41:00Z", "active", "ended"],
    ["coming", "2026-12-01T00:00:00Z", null, "active", "in 6 d"],
    ["stopped", "2025-01-01T00:00:00Z", null, "suspended", "suspended"],
  ])("is %s", (how, valid_from, valid_until, status, words) => {
    const one = { valid_from, valid_until, status };
    expect(standing(one, NOW)).toBe(how);
    expect(leftWords(one, NOW)).toBe(words);
  });
});

it("tells a refusal at its field, and in words only what no field says", () => {
  const error = new ApiError("Not right", "port: too large", 422, "/problems/invalid", "invalid", { problems: [{ field: "port", text: "too large" }] });
  expect(refusalOf(error, [{ name: "port" }])).toEqual({ told: { port: "too large" }, words: "Not saved. See what is marked above." });
  expect(refusalOf(error, [{ name: "host" }]).words).toBe("port: too large");
  expect(refusalOf(new Error("No line"), [])).toEqual({ told: {}, words: "No line" });
});

it("lists what runs out, the ended first", () => {
  const licence = (id: string, jurisdiction: string, valid_until: string | null) => ({ id, jurisdiction, number: "", scope: "", status: "active", is_verified: true, valid_from: "2020-01-01T00:00:00Z", valid_until });
  const reader = { licences: [licence("1", "NO", null), licence("2", "NZ", "2027-01-01T00:00:00Z"), licence("3", "AE", "2026-11-01T00:00:00Z")], certificates: [], privileges: [], engagements: [] } as unknown as ReaderFacts;
  expect(runsOut(reader, NOW).map((one) => one.what)).toEqual(["United Arab Emirates licence has ended.", "New Zealand licence ends."]);
});

it("names jurisdictions", () => {
  expect([jurisdictionName("NO"), jurisdictionName("US-TX"), jurisdictionName("??")]).toEqual(["Norway", "United States, TX", "??"]);
});

describe("wall clocks", () => {
  it("are those of the zone, in summer and winter", () => {
    expect(new Date(instantIn("2026-11-25", "08:00", "Australia/Sydney")).toISOString()).toBe("2026-11-24T21:00:00.000Z");
    expect(new Date(instantIn("2026-07-25", "08:00", "Europe/Oslo")).toISOString()).toBe("2026-07-25T06:00:00.000Z");
  });
  it("make shifts of equal wall times over a change of the clocks, and over midnight", () => {
    // Oslo leaves summer time on 25 Oct 2026 at 03:00.
    expect(shiftTimes("2026-10-24", "22:00", "06:00", "Europe/Oslo", 2)).toEqual([
      { starts_at: "2026-10-24T20:00:00.000Z", ends_at: "2026-10-25T05:00:00.000Z" },
      { starts_at: "2026-10-25T21:00:00.000Z", ends_at: "2026-10-26T05:00:00.000Z" },
    ]);
  });
});

it("tells what a form lacks, but not of fields that don't show", () => {
  const fields = [
    { name: "a", label: "A", required: true },
    { name: "b", label: "B", required: true, when: () => false },
    { name: "c", label: "C", check: (value: string) => (value === "x" ? null : "wrong") },
  ];
  expect(problemsOf(fields, { a: "", c: "y" })).toEqual({ a: "This is needed", c: "wrong" });
  expect(problemsOf(fields, { a: "1", c: " x " })).toEqual({});
});

describe("DICOM nodes", () => {
  it("says what a node is for", () => {
    expect(nodePurposes({ is_queried: true, is_sent_to: false, is_destination: true })).toEqual(["priors", "C-MOVE"]);
    expect(nodePurposes({ is_queried: false, is_sent_to: false, is_destination: false })).toEqual(["nothing yet"]);
  });
  it("says how a test of the connection ended", () => {
    expect(echoWords({ is_ok: true, seconds: 0.0123 })).toBe("answered in 12 ms");
    expect(echoWords({ is_ok: true, seconds: 0.0001 })).toBe("answered in 1 ms");
    expect(echoWords({ is_ok: false, seconds: 8, why: "timed_out", words: "The peer was silent for too long." })).toBe("no answer in time");
  });
});

describe("deletions", () => {
  it("says how one stands", () => {
    const at = "2026-11-25T01:00:00Z";
    expect(deletionState({ restored_at: null, purged_at: null })).toBe("waits");
    expect(deletionState({ restored_at: null, purged_at: at })).toBe("gone");
    expect(deletionState({ restored_at: at, purged_at: at })).toBe("undone");
  });
  it("names a study without its patient", () => {
    expect(studyLine({ study_date: "2026-11-25", modalities: ["CT", "SR"] })).toBe("CT, SR, 25 Nov 2026");
    expect(studyLine({ study_date: null, modalities: [] })).toBe("no date");
  });
});
