import { describe, expect, it } from "vitest";
import type { TransferLine } from "../../api/types";
import { canAgain, countWords, dicomDay, isTrouble, stateOf, whatWords } from "./words";

const base: TransferLine = {
  id: "1", organization_id: "o", node_id: "n", node_name: "Old archive", facility_id: "f", facility_name: "Norfjord", direction: "fetch", state: "waiting",
  patient_id: "p", patient_name: "LARSEN, Kari", study_id: null, case_id: null, accession_number: null, studies: [], expected: null, received: 0, attempts: 0,
  next_attempt_at: null, error: null, created_at: "2026-11-25T01:41:00Z", finished_at: null,
}; // prettier-ignore

describe("words of transfers", () => {
  it("says what it is", () => {
    expect(whatWords(base)).toBe("Fetch priors");
    expect(whatWords({ ...base, patient_id: null })).toBe("Fetch study");
    expect(whatWords({ ...base, accession_number: "A1" })).toBe("Fetch A1");
    expect(whatWords({ ...base, direction: "send" })).toBe("Send study");
  });
  it("tells a first turn from another try", () => {
    expect(stateOf(base)).toEqual(["ready", "Waits"]);
    expect(stateOf({ ...base, attempts: 2 })).toEqual(["held", "Tries again"]);
    expect(stateOf({ ...base, state: "partial", attempts: 8 })[1]).toBe("Not whole");
  });
  it("counts, and says when there is nothing", () => {
    expect(countWords(base)).toBe("–");
    expect(countWords({ ...base, expected: 5, received: 3 })).toBe("3 of 5");
    expect(countWords({ ...base, expected: 0 })).toBe("nothing there");
  });
  it("knows trouble, and what can be tried again", () => {
    expect(isTrouble({ ...base, error: "no connection" })).toBe(true);
    expect(isTrouble(base)).toBe(false);
    expect((["waiting", "running", "done", "partial", "failed", "cancelled"] as const).filter((state) => canAgain({ ...base, state }))).toEqual(["partial", "failed", "cancelled"]);
  });
  it("writes DICOM's days", () => {
    expect(dicomDay("20261125")).toContain("2026");
    expect(dicomDay("")).toBe("no date");
    expect(dicomDay("2026.11.25")).toBe("2026.11.25");
  });
});
