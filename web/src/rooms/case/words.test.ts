import { describe, expect, it } from "vitest";
import type { CaseDetail, Timeline } from "../../api/types";
import { summary } from "./Readers";
import { marksOf, promiseOutcome, sinceBefore } from "./words";

const step = (action: string, at: string, outcome = "done"): Timeline["steps"][number] => ({ action, at, text: action, actor: "", interval_seconds: null, outcome });

describe("marks under the bar", () => {
  it("join what happened in one moment and leave out refusals and the rest", () => {
    const steps = [step("order.received", "2026-01-01T00:00:00Z"), step("case.ready", "2026-01-01T00:10:00Z"), step("read.assigned", "2026-01-01T00:10:01Z"), step("draft.edited", "2026-01-01T00:11:00Z"), step("read.opened", "2026-01-01T00:12:00Z", "refused")];
    expect(marksOf(steps, 5000)).toEqual([
      { at: "2026-01-01T00:00:00Z", label: "Order" },
      { at: "2026-01-01T00:10:00Z", label: "Ready, assigned" },
    ]);
  });
});

describe("the promise", () => {
  const detail = (signed: string[], kind = "final") =>
    ({ clock_started_at: "2026-01-01T02:23:06Z", due_at: "2026-01-01T02:53:06Z", versions: signed.map((signed_at, index) => ({ id: String(index), number: index + 1, kind, state: "signed", signer_name: "", signed_at })) }) as CaseDetail;
  it("is kept by the first final report, whatever came after", () => expect(promiseOutcome(detail(["2026-01-01T05:00:00Z", "2026-01-01T02:48:33Z"]))).toEqual({ kept: true, text: "Kept, in 25:27" }));
  it("is broken by so much", () => expect(promiseOutcome(detail(["2026-01-01T03:00:06Z"]))).toEqual({ kept: false, text: "Broken by 7:00" }));
  it("is not over without a report; an addendum alone doesn't end it", () => {
    expect(promiseOutcome(detail([]))).toBeNull();
    expect(promiseOutcome(detail(["2026-01-01T02:48:33Z"], "addendum"))).toBeNull();
  });
});

it("writes the interval before a step", () => {
  expect(sinceBefore(941)).toBe("+15:41");
  expect(sinceBefore(null)).toBe("");
});

it("counts each rule once a reader", () => {
  const reader = (checks: [string, string][]) => ({ reader_id: "", name: "", hub: "", is_assigned: false, eligible: checks.every(([, outcome]) => outcome === "pass"), why: "", open: 0, capacity: 1, checks: checks.map(([rule, outcome]) => ({ rule, outcome, text: "", source: "" })) });
  const readers = [reader([["licence", "pass"]]), reader([["licence", "fail"], ["licence", "unknown"], ["shift", "fail"]]), reader([["licence", "fail"]])];
  expect(summary({ occasion: "now", at: "", readers } as Parameters<typeof summary>[0])).toBe("1 of 3 eligible. Excluded: 2 by licence, 1 by shift.");
});
