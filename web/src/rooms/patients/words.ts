import type { PatientDoubt, PatientHit } from "../../api/types";
import { type PatientIdentity, patientName, plainDate } from "../../kit";

/** How a patient was found, in words. */
export const WHY: Record<PatientHit["why"], string> = {
  identifier: "bears the identifier",
  merged: "the identifier is of somebody who was merged into them",
  name: "the name begins so",
  birth_date: "born that day",
  near: "same birth date, and the name is alike",
};

export type Line = readonly [label: string, values: readonly string[], differs: boolean];

/** "4471-0932 of NORFJORD" */
export function identifierWords(one: { authority: string; value: string }): string {
  return `${one.value} of ${one.authority}`;
}

function identifiersOf(patient: PatientIdentity): string {
  return patient.identifiers.map(identifierWords).join(", ") || "none";
}

/** Two patients line by line; identifiers always differ, and say nothing of whether the two are one. */
export function sideBySide(one: PatientIdentity, other: PatientIdentity): Line[] {
  const born = (patient: PatientIdentity) => (patient.birth_date ? plainDate(patient.birth_date) : "not known");
  const told = (patient: PatientIdentity) => patient.sex ?? "not known";
  const both = (a: unknown, b: unknown) => Boolean(a) && Boolean(b) && a !== b;
  return [
    ["Name", [patientName(one), patientName(other)], plain(patientName(one)) !== plain(patientName(other))],
    ["Born", [born(one), born(other)], both(one.birth_date, other.birth_date)],
    ["Sex", [told(one), told(other)], both(one.sex, other.sex)],
    ["Identifiers", [identifiersOf(one), identifiersOf(other)], false],
  ];
}

/** For comparison: without case, accents and marks. */
export function plain(text: string): string {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .replace(/ø/g, "o")
    .replace(/æ/g, "ae")
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim()
    .split(" ")
    .sort()
    .join(" ");
}

/** "3 studies, 1 order, no report" */
export function holdings(file: { studies: readonly unknown[]; orders: readonly unknown[]; reports: readonly unknown[] }): string {
  const count = (all: readonly unknown[], one: string, many: string) => (all.length === 0 ? `no ${one}` : all.length === 1 ? `1 ${one}` : `${all.length} ${many}`);
  return [count(file.studies, "study", "studies"), count(file.orders, "order", "orders"), count(file.reports, "report", "reports")].join(", ");
}

export const ORDER_STATES: Record<string, string> = { scheduled: "ordered", in_progress: "in progress", completed: "completed", cancel_requested: "cancellation asked for", cancelled: "cancelled" };

export const DOUBTS: Record<PatientDoubt["kind"], string> = {
  told_differs: "A message names a known patient with another name and birth date. It was refused, and is kept.",
  two_patients: "A message gives one person the identifiers of two. Nothing was merged.",
  merged_differ: "The site merged two whose name and birth date both differ.",
};

/** What each answer does, and the button that says so. */
export const DECISIONS: Record<PatientDoubt["kind"], Record<"same" | "other", { button: string; follows: string }>> = {
  told_differs: {
    same: { button: "The same: take what it says", follows: "The patient bears from now on what the message says. Send the refused message again, from the message log." },
    other: { button: "Two persons: leave the patient", follows: "The patient stays as they are, and the message stays refused: the site must send it under another identifier." },
  },
  two_patients: {
    same: { button: "The same: merge them", follows: "The two are merged: studies, orders and open cases follow. It can be taken back." },
    other: { button: "Two persons: leave both", follows: "Both stay as they are. The site should put its identifiers right." },
  },
  merged_differ: {
    same: { button: "The same: leave the merge", follows: "The merge stays as the site made it." },
    other: { button: "Two persons: undo the merge", follows: "The merge is undone: what followed it goes back." },
  },
};

/** The second of the two: a known patient, or whom a message describes. */
export function otherOf(doubt: Pick<PatientDoubt, "other" | "told">): PatientIdentity {
  if (doubt.other) return doubt.other;
  return { family_name: doubt.told?.family_name || "nobody", given_name: doubt.told?.given_name, birth_date: doubt.told?.birth_date, sex: doubt.told?.sex, identifiers: [] };
}
