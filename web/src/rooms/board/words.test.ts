import { describe, expect, it } from "vitest";
import { csv } from "../../kit/download";
import { HOUR } from "../../kit/time";
import { lights, ribbon } from "./hubLayout";
import { alarmPlace, type BoardCase, type BoardReader, deliveriesStand, deliveryTitle, hubs, isStuck, lacksReader, mayRetry, passes, shortReader, sortAlarms, stateOf, toneOf } from "./words";

const NOW = Date.parse("2026-11-25T01:41:00Z");
const at = (hours: number) => new Date(NOW + hours * HOUR).toISOString();

function aCase(some: Partial<BoardCase>): BoardCase {
  return { case_id: "c", read_id: "r", state: "assigned", case_state: "assigned", reader: { id: "r1", name: "Dr I. T." }, no_reader_reasons: null, is_arriving: false, late_images_at: null, has_draft: false, due_at: at(1), ...some } as BoardCase;
}

function aReader(some: Partial<BoardReader>): BoardReader {
  return { reader_id: "r1", name: "Dr Imogen Tarrant", place: "Sydney", time_zone: "Australia/Sydney", shift_starts_at: at(-2), shift_ends_at: at(4), open: 3, capacity: 10, groups: [], ...some };
}

describe("open cases", () => {
  it("need a person when nobody may read them", () => {
    const nobody = aCase({ reader: null, case_state: "no_reader", no_reader_reasons: "6 without a licence" });
    expect(lacksReader(nobody)).toBe(true);
    expect(stateOf(nobody)).toEqual(["held", "No reader"]);
    expect(toneOf(nobody, NOW)).toBe("person");
    expect(passes(nobody, "nobody")).toBe(true);
    expect(passes(aCase({}), "nobody")).toBe(false);
  });
  it("are broken before anything else once past their time", () => {
    expect(toneOf(aCase({ due_at: at(-0.1), reader: null, case_state: "no_reader" }), NOW)).toBe("broken");
    expect(toneOf(aCase({ due_at: at(-0.1), state: "done" }), NOW)).toBeUndefined();
  });
});

describe("a delivery in words", () => {
  const base = { state: "queued", acknowledgement_code: null, attempts: 2, channel: "hl7", last_error: "no answer", destination: "EPJ" } as const;
  it.each([
    [base, "Norfjord did not answer, 2 tries"],
    [{ ...base, state: "failed", acknowledgement_code: "AE" } as const, "Norfjord refused the message (AE)"],
    [{ ...base, state: "held", acknowledgement_code: "AR" } as const, "Norfjord refused the message (AR)"],
    [{ ...base, state: "held" } as const, "Held back for Norfjord"],
    [{ ...base, attempts: 0 } as const, "Waits to go to Norfjord"],
  ])("%#", (delivery, words) => expect(deliveryTitle(delivery, "Norfjord")).toBe(words));
});

it("tells what stands still from what goes on by itself", () => {
  const [queued, refused, waits] = [
    { state: "queued", acknowledgement_code: "AE", attempts: 1 },
    { state: "held", acknowledgement_code: "AR", attempts: 1 },
    { state: "held", acknowledgement_code: null, attempts: 0 },
  ] as const;
  expect([queued, refused, waits].map(isStuck)).toEqual([false, true, false]);
  expect([queued, refused, waits].map(mayRetry)).toEqual([true, true, false]);
  expect([[queued], [queued, refused], [waits], []].map(deliveriesStand)).toEqual(["retried by themselves", "1 stopped", "", ""]);
});

it("shows unseen alarms first, then the newest", () => {
  const alarm = (id: string, raised: number, seen: string | null) => ({ id, kind: "no_reader", text: "", case_id: null, study_id: null, raised_at: at(raised), seen_by: seen });
  expect(sortAlarms([alarm("a", -1, "x"), alarm("b", -3, null), alarm("c", -2, null)]).map((one) => one.id)).toEqual(["c", "b", "a"]);
});

it("counts what waits at each hub now", () => {
  const found = hubs([aReader({}), aReader({ reader_id: "r2", place: "Boston" }), aReader({ reader_id: "r3", place: null })], [aCase({}), aCase({ state: "reading" }), aCase({ state: "done" }), aCase({ reader: null })]);
  expect(found.map((hub) => [hub.name, hub.waiting, hub.reading])).toEqual([
    ["Boston", 0, 0],
    ["Sydney", 1, 1],
    ["Place not said", 0, 0],
  ]);
});

describe("a hub's ribbon", () => {
  it("puts shifts that overlap on lanes of their own and cuts them to the window", () => {
    const hub = { name: "Sydney", zone: "Australia/Sydney", waiting: 0, reading: 0, readers: [aReader({ shift_starts_at: at(-20) }), aReader({ reader_id: "r2" }), aReader({ reader_id: "r3", shift_starts_at: at(5), shift_ends_at: at(9) })] };
    const { bars, lanes } = ribbon(hub, NOW - 6 * HOUR, NOW + 18 * HOUR, NOW);
    expect(lanes).toBe(2);
    expect(bars.map((bar) => [bar.reader.reader_id, bar.lane, bar.on])).toEqual([
      ["r1", 0, true],
      ["r2", 1, true],
      ["r3", 0, false],
    ]);
    expect(bars[0]?.from).toBe(NOW - 6 * HOUR);
  });
  it("knows day and night there, also in zones of half hours", () => {
    const found = lights(Date.parse("2026-11-25T00:00:00Z"), Date.parse("2026-11-26T00:00:00Z"), "Asia/Kolkata");
    const firstDay = found.find((one) => one.light === "day");
    expect(new Date(firstDay?.from ?? 0).toISOString()).toBe("2026-11-25T01:30:00.000Z");
    expect(found.reduce((sum, one) => sum + one.to - one.from, 0)).toBe(24 * HOUR);
  });
});

it("shortens a reader's name, and only a reader's", () => {
  expect(shortReader("Dr Wei-Lin Castellan")).toBe("Dr W. Castellan");
  expect(shortReader("Castellan")).toBe("Castellan");
});

it("writes CSV that no spreadsheet runs", () => {
  expect(csv([["=1+1", 'a "b"', null, -3]])).toBe(`\uFEFF'=1+1,"a ""b""",,-3\r\n`);
});

it("leads to where an alarm is dealt with", () => {
  expect(alarmPlace({ kind: "no_reader", case_id: "c1", study_id: null })).toBe("/case/c1");
  expect(alarmPlace({ kind: "quarantine_full", case_id: null, study_id: null })).toBe("/quarantine");
  expect(alarmPlace({ kind: "unmatched_study", case_id: null, study_id: "s1" })).toBeNull();
  expect(alarmPlace({ kind: "question_unanswered", case_id: null, study_id: null })).toBe("/quarantine");
  expect(alarmPlace({ kind: "question_unanswered", case_id: null, study_id: "s1" })).toBeNull();
});
