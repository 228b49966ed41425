import { describe, expect, it } from "vitest";
import type { SiteRow } from "../../api/types";
import { expectedCount, inTab, sortRows, toneOf } from "./words";

const NOW = Date.parse("2026-11-25T02:00:00Z");
const iso = (minutes: number) => new Date(NOW + minutes * 60_000).toISOString();
const row = (id: string, some: Partial<SiteRow> & { attention?: boolean; current?: number } = {}): SiteRow => ({ case_id: id, study_id: "s", order_id: "o", priority: "STAT", patient: null, exam: "CT", last_image_at: iso(-20), state_text: "", what_happens: "", due_at: iso(30), version: null, acknowledged_at: null, facility_id: "f", is_held: false, ...some, steps: { current: some.current ?? 2, names: [], attention: some.attention ?? false } });
const version = { id: "v", number: 1, kind: "final" } as SiteRow["version"];

it("puts reports that nobody has seen first, then what needs somebody, then what is due", () => {
  const rows = [row("seen", { version, acknowledged_at: iso(-5) }), row("later", { due_at: iso(60) }), row("soon"), row("needs", { attention: true }), row("new", { version })];
  expect(sortRows(rows).map((one) => one.case_id)).toEqual(["new", "needs", "soon", "later", "seen"]);
});

describe("tabs", () => {
  it("hold each line where it belongs", () => {
    const order = row("x", { case_id: null, study_id: null });
    expect(inTab(order, "orders", NOW)).toBe(true);
    expect(inTab(order, "tonight", NOW)).toBe(false);
    const old = row("y", { version, acknowledged_at: iso(-2000) });
    expect([inTab(old, "tonight", NOW), inTab(old, "earlier", NOW), inTab(old, "unseen", NOW)]).toEqual([false, true, false]);
    expect(inTab(row("z", { version }), "unseen", NOW)).toBe(true);
  });
});

it("is red only while it is late and not yet signed", () => {
  expect(toneOf(row("a", { due_at: iso(-1), current: 3 }), NOW)).toBe("broken");
  expect(toneOf(row("a", { due_at: iso(-1), current: 4, version }), NOW)).toBeUndefined();
  expect(toneOf(row("a", { attention: true }), NOW)).toBe("person");
});

it("takes a whole number of images and nothing else", () => {
  expect(["96", " 1 ", "0", "", "1.5", "100001", "all"].map(expectedCount)).toEqual([96, 1, null, null, null, null, null]);
});
