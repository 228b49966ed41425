/** What the case page says, as pure functions. */
import type { CaseDetail, CaseState, Timeline } from "../../api/types";
import { exact, ms } from "../../kit/time";
import type { IntervalTone } from "../../kit/IntervalBar";

const STATES: Record<CaseState, string> = {
  arriving: "Images are arriving",
  ready: "Ready, waits for a reader",
  assigned: "Assigned",
  reading: "Being read",
  signed: "Signed, not yet delivered",
  delivered: "Delivered",
  acknowledged: "Delivered and seen",
  cancelled: "Cancelled",
  no_reader: "No reader",
};

export function stateWords(state: CaseState): string {
  return STATES[state] ?? state;
}

const READS: Record<string, string> = { waiting: "Waiting", assigned: "Assigned", reading: "Being read", done: "Signed", cancelled: "Cancelled" };

/** How far the newest read of a case is. */
export function readWords(state: string): string {
  return READS[state] ?? state;
}

const TONES: Record<string, IntervalTone> = { arriving: "arriving", images: "arriving", waiting: "waiting", reading: "reading" };

export function toneOfInterval(kind: string): IntervalTone {
  return TONES[kind] ?? "quiet";
}

/** What stands under the bar; the other steps are in the list. */
const MARKS: Record<string, string> = {
  "order.received": "Order",
  "order.entered": "Order",
  "study.first_image": "First image",
  "study.completed": "Complete",
  "case.created": "Case",
  "case.ready": "Ready",
  "read.assigned": "Assigned",
  "read.reassigned": "Reassigned",
  "read.no_reader": "No reader",
  "read.opened": "Opened",
  "read.handed_back": "Handed back",
  "report.signed": "Signed",
  "report.addendum_signed": "Addendum",
  "delivery.acknowledged": "Delivered",
  "report.acknowledged": "Seen",
  "case.held": "Held",
  "case.resumed": "Resumed",
};

/** Marks under the bar; steps within the same moment share one, so that labels don't collide. */
export function marksOf(steps: Timeline["steps"], closeness: number): { at: string; label: string }[] {
  const found: { at: string; labels: string[] }[] = [];
  for (const step of steps) {
    const label = MARKS[step.action];
    if (!label || step.outcome !== "done") continue;
    const last = found[found.length - 1];
    if (last?.labels.includes(label)) continue;
    if (last && ms(step.at) - ms(last.at) < closeness) last.labels.push(label);
    else found.push({ at: step.at, labels: [label] });
  }
  return found.map(({ at, labels }) => ({ at, label: [labels[0], ...(labels.length > 3 ? ["…", labels[labels.length - 1]] : labels.slice(1)).map((one) => one?.toLowerCase())].join(", ").replace(", …, ", " to ") }));
}

/** When the promise was met: the first final report. */
export function promiseDone(detail: CaseDetail): string | null {
  const signed = detail.versions.filter((version) => version.kind !== "addendum" && version.signed_at !== null).map((version) => version.signed_at ?? "");
  return signed.length ? signed.reduce((first, one) => (one < first ? one : first)) : null;
}

/** "Kept, in 25:27" once it is over; null while the clock runs. */
export function promiseOutcome(detail: CaseDetail): { kept: boolean; text: string } | null {
  const done = promiseDone(detail);
  if (!done || !detail.due_at || !detail.clock_started_at) return null;
  const kept = ms(done) <= ms(detail.due_at);
  const used = exact(Math.max(0, ms(done) - ms(detail.clock_started_at)));
  return { kept, text: kept ? `Kept, in ${used}` : `Broken by ${exact(ms(done) - ms(detail.due_at))}` };
}

/** "1 read, 1 report, 2 deliveries" */
export function contents(detail: CaseDetail): string {
  const many = (count: number, one: string, more: string) => `${count} ${count === 1 ? one : more}`;
  return [many(detail.reads.length, "read", "reads"), many(detail.versions.length, "report", "reports"), many(detail.deliveries.length, "delivery", "deliveries")].join(", ");
}

/** The interval since the step before: "+15:41". */
export function sinceBefore(seconds: number | null): string {
  return seconds === null ? "" : `+${exact(seconds * 1000)}`;
}
