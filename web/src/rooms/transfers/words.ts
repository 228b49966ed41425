/** What a transfer is and how it goes, in words; pure. */
import type { TransferLine } from "../../api/types";
import type { DotState } from "../../kit/bits";
import { day } from "../../kit/time";

export const STATES: Record<TransferLine["state"], [DotState, string]> = {
  waiting: ["ready", "Waits"],
  running: ["reading", "Under way"],
  done: ["done", "Done"],
  partial: ["held", "Not whole"],
  failed: ["bad", "Failed"],
  cancelled: ["arriving", "Cancelled"],
};

export const isOpen = (one: TransferLine): boolean => one.state === "waiting" || one.state === "running";
export const isTrouble = (one: TransferLine): boolean => one.state === "partial" || one.state === "failed" || (one.state === "waiting" && one.error !== null);
export const canAgain = (one: TransferLine): boolean => one.state === "partial" || one.state === "failed" || one.state === "cancelled";

/** "Waits" for its turn, "Tries again" after a try that did not bring all. */
export function stateOf(one: TransferLine): [DotState, string] {
  return one.state === "waiting" && one.attempts > 0 ? ["held", "Tries again"] : STATES[one.state];
}

export function whatWords(one: TransferLine): string {
  if (one.direction === "send") return "Send study";
  if (one.accession_number !== null) return `Fetch ${one.accession_number}`;
  return one.patient_id !== null ? "Fetch priors" : "Fetch study";
}

/** "3 of 5", "nothing there", "–" before it is known. */
export function countWords(one: TransferLine): string {
  if (one.expected === null) return "–";
  if (one.expected === 0) return one.direction === "fetch" ? "nothing there" : "no objects";
  return `${one.received} of ${one.expected}`;
}

/** DICOM's 20261125 as people write it. */
export function dicomDay(date: string): string {
  return /^\d{8}$/.test(date) ? day(Date.parse(`${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T00:00:00Z`), "UTC") : date || "no date";
}
