import { describe, expect, it } from "vitest";
import type { ListItem } from "../../api/types";
import { heldBy, isTab, stateOf, summary, toneOf } from "./words";

const NOW = Date.parse("2026-11-25T03:00:00Z");
const item = (change: Partial<ListItem>): ListItem => ({
  read_id: "r",
  case_id: "c",
  state: "assigned",
  has_draft: false,
  is_arriving: false,
  is_provisional: false,
  late_images_at: null,
  last_image_at: null,
  hold_reason: null,
  kind: "primary",
  priority: "STAT",
  due_at: "2026-11-25T03:12:00Z",
  clock_started_at: "2026-11-25T02:42:00Z",
  promise_minutes: 30,
  patient: { id: "p", display_name: "HAUGLAND, Ingrid", family_name: "Haugland", given_name: "Ingrid", birth_date: null, age_years: null, sex: "F", identifiers: [] },
  exam: "CT head",
  exam_class: "ct_head",
  modality: "CT",
  facility: { id: "f", name: "Norfjord Community Hospital", short_name: "Norfjord", jurisdiction: "NO", time_zone: "Europe/Oslo" },
  number_of_images: 188,
  number_of_priors: 1,
  accession: null,
  referrer: null,
  opened_by: null,
  ...change,
});

describe("a row's state", () => {
  it("says who has it, but not to its holder", () => {
    expect(stateOf(item({ opened_by: "Dr Vogt" }), "Dr Tarrant")).toMatchObject({ word: "Open", title: "Dr Vogt has this case open" });
    expect(heldBy(item({ opened_by: "Dr Tarrant" }), "Dr Tarrant")).toBeNull();
  });

  it("puts what needs a person before what is merely going on", () => {
    expect(stateOf(item({ late_images_at: "2026-11-25T02:50:00Z", has_draft: true }), "me").word).toBe("New images");
    expect(stateOf(item({ hold_reason: "Wrong side", late_images_at: "2026-11-25T02:50:00Z" }), "me").word).toBe("On hold");
    expect(stateOf(item({ state: "done", has_draft: true }), "me").word).toBe("Signed");
  });

  it("is red past the promise, and not once it is signed", () => {
    expect(toneOf(item({ due_at: "2026-11-25T02:56:00Z" }), "me", NOW)).toBe("broken");
    expect(toneOf(item({ due_at: "2026-11-25T02:56:00Z", state: "done" }), "me", NOW)).toBeUndefined();
    expect(toneOf(item({ is_arriving: true }), "me", NOW)).toBe("person");
    expect(toneOf(item({ opened_by: "Dr Vogt" }), "me", NOW)).toBe("away");
  });
});

describe("the foot", () => {
  it("counts cases, those due soon, and images still to look at", () => {
    expect(summary([item({}), item({ due_at: "2026-11-25T09:00:00Z" })], NOW)).toBe("2 cases · 1 due within the hour · 376 images");
    expect(summary([item({ state: "done" })], NOW)).toBe("1 case");
  });
});

describe("tabs", () => {
  it("are known by name", () => {
    expect(isTab("late")).toBe(true);
    expect(isTab("everything")).toBe(false);
  });
});
