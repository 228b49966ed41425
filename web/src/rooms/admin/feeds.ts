/** What a feed's mapping says, and what a pasted message became, in words. Pure. */
import type { FeedDefaults, SeenEffect, SeenValue } from "../../api/types";

/** Where one value stands, as it is edited. */
export interface Row {
  name: string;
  paths: string[];
  otherwise: string[];
  agree: boolean;
}

/** What a feed says otherwise, as the server keeps it. */
export interface Mapping {
  values?: Record<string, { paths?: string[]; otherwise?: string[]; agree?: boolean }>;
  priorities?: Record<string, string>;
  modalities?: Record<string, string>;
  patient_id?: { types?: string[]; authorities?: string[] };
}

/** A mapping as it stands in the form: nothing left out. */
export interface Draft {
  rows: Row[];
  priorities: string;
  modalities: string;
  types: string[];
  authorities: string[];
}

const PATH = /^[A-Z][A-Z0-9]{2}(\([^()^|~&\\]{1,80}\))?-[1-9]\d{0,2}(\[[1-9]\d?\])?(\.[1-9]\d?(\.[1-9]\d?)?)?$/;

/** What is wrong with a place in a message; null: nothing. The server has the last word. */
export function wrongPath(path: string): string | null {
  return PATH.test(path.trim()) ? null : `“${path}” is no place in a message, as OBR-18 or IPC-1.1`;
}

export function draftOf(mapping: Mapping, defaults: FeedDefaults): Draft {
  return {
    rows: defaults.values.map((value) => {
      const own = mapping.values?.[value.name] ?? {};
      return { name: value.name, paths: own.paths ?? value.paths, otherwise: own.otherwise ?? value.otherwise, agree: own.agree ?? value.agree };
    }),
    priorities: tableText(mapping.priorities),
    modalities: tableText(mapping.modalities),
    types: mapping.patient_id?.types ?? defaults.identifier_types,
    authorities: mapping.patient_id?.authorities ?? [],
  };
}

/** The form as a mapping; problems by the place in the form. */
export function mappingOf(draft: Draft): { mapping: Mapping; problems: Record<string, string> } {
  const problems: Record<string, string> = {};
  for (const row of draft.rows) {
    const wrong = [...row.paths, ...row.otherwise].map(wrongPath).find((words) => words !== null);
    if (wrong) problems[row.name] = wrong;
  }
  const tables = { priorities: tableOf(draft.priorities), modalities: tableOf(draft.modalities) };
  for (const [name, table] of Object.entries(tables)) if (table === null) problems[name] = "A code and what it means on each line, as E = STAT";
  const values = Object.fromEntries(draft.rows.map(({ name, paths, otherwise, agree }) => [name, { paths, otherwise, agree }]));
  return { mapping: { values, priorities: tables.priorities ?? {}, modalities: tables.modalities ?? {}, patient_id: { types: draft.types, authorities: draft.authorities } }, problems };
}

export function isDefault(row: Row, defaults: FeedDefaults): boolean {
  const usual = defaults.values.find((value) => value.name === row.name);
  return usual !== undefined && same(row.paths, usual.paths) && same(row.otherwise, usual.otherwise) && row.agree === usual.agree;
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((path, index) => path === other[index]);
}

/** "E = STAT" a line, both in capitals; null: a line is of another form. */
export function tableOf(text: string): Record<string, string> | null {
  const found: Record<string, string> = {};
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (!line) continue;
    const parts = line.split("=").map((part) => part.trim());
    if (parts.length !== 2 || !parts[0] || !parts[1]) return null;
    found[parts[0].toUpperCase()] = parts[1].toUpperCase();
  }
  return found;
}

export function tableText(table: Record<string, string> | undefined): string {
  return Object.entries(table ?? {})
    .map(([code, meaning]) => `${code} = ${meaning}`)
    .join("\n");
}

const EFFECTS: Record<string, string> = {
  "patient.created": "A patient would be made",
  "patient.changed": "The patient would change",
  "patient.identifier_added": "The patient would get another identifier",
  "patient.merged": "Two patients would become one",
  "patient.doubted": "A person would be asked whether two patients are one",
  "order.received": "An order would be made",
  "order.changed": "The order would change",
  "order.cancelled": "The order would be cancelled",
  "order.cancel_requested": "Images are here: coordinators would be asked whether the order ends",
  "order.cancel_refused": "The order is reported: it would stay, and coordinators would hear of it",
  "order.replaced": "An order would give way to this one",
  "study.matched": "Images that wait would be matched to the order",
  "study.linked": "Images of another order would answer this one too",
  "case.created": "A case would be made",
  "case.priority_changed": "The case would get another priority",
  "case.exam_changed": "The case would get another exam",
  "case.held": "The case would be put on hold",
  "case.cancelled": "The case would be cancelled",
  "alarm.raised": "Coordinators would be alarmed",
  "read.assigned": "A reader would get the case",
};

/** What would be done, each thing once; what only follows from it is left out. */
export function effectWords(effects: readonly SeenEffect[]): string[] {
  const words = effects.flatMap((effect) => {
    const known = EFFECTS[effect.action];
    if (!known) return [];
    return [effect.fields.length > 0 ? `${known}: ${effect.fields.map((field) => field.replaceAll("_", " ")).join(", ")}` : known];
  });
  return [...new Set(words)];
}

/** What a value is here, beside its text. */
export function meaningWords(value: Pick<SeenValue, "name" | "value" | "meaning">): string {
  if (!value.meaning) return "";
  if (value.name === "patient_id") return `assigned by ${value.meaning}`;
  return value.value ? `means ${value.meaning}` : value.meaning;
}
