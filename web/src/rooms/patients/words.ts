import type { PatientHit } from "../../api/types";
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
