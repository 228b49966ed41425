import type { CorrectableAttribute, CorrectionStep, ImagesSay, KnownPatient, NamedByImages, StudyIdentity } from "../../api/types";
import { patientName, plainDate } from "../../kit";
import { plain } from "../patients/words";

/** "LARSEN^Kari=…" as it is read: "LARSEN Kari". */
export function nameWords(dicom: string): string {
  return dicom.split("=")[0]?.replaceAll("^", " ").replace(/\s+/g, " ").trim() ?? "";
}

export interface Cell {
  text: string;
  /** Otherwise than the patient under whom the study is filed. */
  differs: boolean;
}

export interface Compared {
  label: string;
  filed: string;
  images: Cell[];
}

/** Value by value: under whom the study is filed, and whom its images name. Nothing differs from what is not known. */
export function compared(identity: Pick<StudyIdentity, "patient" | "images">): Compared[] {
  const { patient, images } = identity;
  const line = (label: string, filed: string, told: (one: NamedByImages) => string, same: (one: NamedByImages, of: KnownPatient) => boolean): Compared => ({
    label,
    filed: filed || "not known",
    images: images.map((one) => ({ text: told(one) || "not said", differs: patient !== null && told(one) !== "" && !same(one, patient) })),
  });
  const known = (value: string | null | undefined, same: boolean) => !value || same;
  return [
    line("Name", patient ? patientName(patient) : "", (one) => nameWords(one.name), (one, of) => plain(nameWords(one.name)) === plain(patientName(of))),
    line("Born", patient?.birth_date ? plainDate(patient.birth_date) : "", (one) => (one.birth_date ? plainDate(one.birth_date) : ""), (one, of) => known(of.birth_date, one.birth_date === of.birth_date)),
    line("Sex", patient?.sex ?? "", (one) => one.sex, (one, of) => known(of.sex, one.sex === of.sex)),
    line("Identifier", patient?.identifiers.map((one) => one.value).join(", ") ?? "", (one) => one.id, (one, of) => of.identifiers.some((its) => its.value === one.id)),
    line("Assigned by", patient?.identifiers.map((one) => one.authority).join(", ") ?? "", (one) => one.issuer, (one, of) => of.identifiers.some((its) => its.authority === one.issuer)),
  ];
}

const KINDS: Record<string, string> = {
  resent: "The site sent it again with other values",
  moved: "Filed under another patient",
  merged: "Two patients were merged",
  entered: "Put right by hand",
  undone: "Taken back",
};

export function stepWords(step: Pick<CorrectionStep, "kind">): string {
  return KINDS[step.kind] ?? step.kind;
}

/** Study Date and Patient's Birth Date: an identifier may be eight digits too. */
const DATES: ReadonlySet<string> = new Set(["00080020", "00100030"]);

/** A value of a data set as it is read: names without marks, dates as dates. */
export function valueWords(tag: string, value: string | null): string {
  if (value === null) return "not known";
  if (value === "") return "empty";
  if (/^\d{8}$/.test(value) && DATES.has(tag)) return plainDate(`${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}`);
  return value.includes("^") ? nameWords(value) : value;
}

const SIDES: Record<ImagesSay["field"], string> = { name: "name", birth_date: "birth date", sex: "sex", body_part: "body part", laterality: "side" };

/** "birth date: order 12 Mar 1948, images 03 Dec 1948" */
export function disagreementWords(one: ImagesSay): string {
  const read = (value: string) => (one.field === "birth_date" ? plainDate(value) : value);
  return `${SIDES[one.field]}: order ${read(one.in_order)}, images ${read(one.in_images)}`;
}

/** What a form's text becomes in a data set: a date without its hyphens. */
export function toDicom(attribute: Pick<CorrectableAttribute, "vr">, text: string): string {
  return attribute.vr === "DA" ? text.replaceAll("-", "") : text.trim();
}

export function toField(attribute: Pick<CorrectableAttribute, "vr">, value: string): string {
  return attribute.vr === "DA" && /^\d{8}$/.test(value) ? `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}` : value;
}

export const MATCH: Record<StudyIdentity["match_state"], string> = {
  matched: "answers its order",
  unmatched: "waits for its order",
  held: "is held until a person has looked",
  not_needed: "needs no order",
  prior: "was sent to compare with",
};
