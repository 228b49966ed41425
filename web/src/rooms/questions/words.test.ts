import { describe, expect, it } from "vitest";
import type { QuestionLine } from "../../api/types";
import { placeOf, standing, toAnswer, usualQuestions } from "./words";

const line = (change: Partial<QuestionLine>): QuestionLine => ({
  id: "q1",
  text: "Whose images are these?",
  state: "open",
  asked_by: "Nadia Rourke",
  asked_at: "2026-11-25T01:41:00Z",
  is_late: false,
  answers: [],
  ended_by: null,
  ended_at: null,
  may_answer: true,
  may_withdraw: false,
  may_close: false,
  subject_kind: "study",
  subject_id: "s1",
  about: "CT head, 3 images",
  facility: { id: "f1", name: "Norfjord Community Hospital", short_name: "Norfjord", jurisdiction: "NO", time_zone: "Europe/Oslo" },
  ...change,
});
const answer = { id: "a1", text: "Kari's", answered_by: "Eirik", answered_at: "2026-11-25T01:50:00Z" };

describe("how questions about a subject stand", () => {
  it("says nothing where nothing is asked about it", () => {
    expect(standing([], "study", "s1")).toBeNull();
    expect(standing([line({}), line({ subject_kind: "case", subject_id: "s2" })], "study", "s2")).toBeNull();
  });

  it("counts from the one that waits longest, and tells when one is late", () => {
    const found = standing([line({ asked_at: "2026-11-25T02:00:00Z" }), line({ id: "q2", is_late: true, asked_at: "2026-11-25T01:00:00Z" })], "study", "s1");
    expect(found).toMatchObject({ words: "asked", isLate: true, since: "2026-11-25T01:00:00Z" });
  });

  it("tells of an answer before what is open", () => {
    const found = standing([line({}), line({ id: "q2", state: "answered", answers: [answer] })], "study", "s1");
    expect(found?.words).toBe("answered");
    expect(found?.title).toContain("Eirik: Kari's");
  });
});

describe("what the site answers", () => {
  it("is what is open and theirs", () => {
    const lines = [line({}), line({ id: "q2", may_answer: false }), line({ id: "q3", state: "answered" })];
    expect(toAnswer(lines).map((one) => one.id)).toEqual(["q1"]);
  });

  it("is seen in its room", () => {
    expect(placeOf(line({}))).toBe("/site?study=s1");
    expect(placeOf(line({ subject_kind: "case" }))).toBe("/site?case=s1");
    expect(placeOf(line({ subject_kind: "held_object" }))).toBe("/quarantine/s1");
  });
});

it("offers questions of each kind of subject", () => {
  for (const kind of ["study", "held_object", "case"] as const) expect(usualQuestions(kind).length).toBeGreaterThan(2);
});
