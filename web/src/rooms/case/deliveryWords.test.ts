import { describe, expect, it } from "vitest";
import { channelWords, stateOf, stepsFor, tryWords, versionWords } from "./deliveryWords";

const base = { state: "queued", attempts: 0, channel: "hl7", hold_reason: null } as const;

describe("deliveries in words", () => {
  it("works", () => {
    expect(stateOf(base)).toEqual(["ready", "Queued"]);
    expect(stateOf({ ...base, attempts: 2 })).toEqual(["ready", "To be tried again"]);
    expect(stateOf({ ...base, state: "cancelled" })[1]).toBe("Cancelled");
    expect(stateOf({ ...base, state: "sent", channel: "page" })[1]).toBe("On the page");
    expect(versionWords({ version_number: 2, is_withdrawal: true })).toBe("v2 withdrawn");
    expect(channelWords("dicom")).toBe("DICOM");
    expect(tryWords("refused_AE", "It answered AE.")).toBe("Answered with an error. It answered AE.");
  });

  it("offers what the state allows", () => {
    expect(stepsFor(base)).toEqual(["hold", "cancel"]);
    expect(stepsFor({ ...base, state: "held" })).toContain("retry");
    expect(stepsFor({ ...base, state: "acknowledged" })).toEqual(["send-anew"]);
    expect(stepsFor({ ...base, state: "cancelled" })).toEqual(["send-anew"]);
    expect(stepsFor({ ...base, state: "acknowledged", channel: "page" })).toEqual([]);
  });
});
