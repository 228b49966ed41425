/** An order typed by hand: its fields and what must be true of them before it is sent. */
import type { Priority } from "../../api/types";

export interface ProcedureForm {
  key: number;
  description: string;
  modality: string;
  laterality: string;
}

export interface OrderForm {
  facility_id: string;
  identifier: string;
  authority: string;
  family_name: string;
  given_name: string;
  birth_date: string;
  sex: string;
  accession: string;
  priority: Priority;
  indication: string;
  referrer_name: string;
  referrer_phone: string;
  procedures: ProcedureForm[];
}

export function emptyOrder(facilityId: string): OrderForm {
  return { facility_id: facilityId, identifier: "", authority: "", family_name: "", given_name: "", birth_date: "", sex: "", accession: "", priority: "ROUTINE", indication: "", referrer_name: "", referrer_phone: "", procedures: [{ key: 0, description: "", modality: "", laterality: "" }] };
}

/** "14.3.1958", "14/03/1958", "14 Mar 1958", "19580314" or "1958-03-14" as "1958-03-14"; null: no date. Day before month, as in the pages. */
export function parseDate(text: string): string | null {
  const trimmed = text.trim();
  const iso = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(trimmed);
  const spoken = /^(\d{1,2})[./ -](\d{1,2}|[A-Za-z]{3,9})[./ -](\d{4})$/.exec(trimmed);
  const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
  const [year, month, day] = iso ? [iso[1], iso[2], iso[3]] : spoken ? [spoken[3], spoken[2], spoken[1]] : [];
  if (!year || !month || !day) return null;
  const number = /^\d+$/.test(month) ? Number(month) : months.indexOf(month.slice(0, 3).toLowerCase()) + 1;
  const date = new Date(Date.UTC(Number(year), number - 1, Number(day)));
  if (date.getUTCFullYear() !== Number(year) || date.getUTCMonth() !== number - 1 || date.getUTCDate() !== Number(day)) return null;
  return date.toISOString().slice(0, 10);
}

/** What is missing or wrong, by field. */
export function problemsOf(form: OrderForm, now: number): Record<string, string> {
  const found: Record<string, string> = {};
  const need = (field: keyof OrderForm, words: string) => {
    if (!String(form[field]).trim()) found[field] = words;
  };
  need("facility_id", "Where are the images made?");
  need("identifier", "The number on the wristband or in your system");
  need("family_name", "As in your system");
  if (form.birth_date.trim()) {
    const date = parseDate(form.birth_date);
    if (!date) found.birth_date = "Write it as 14 Mar 1958 or 1958-03-14";
    else if (Date.parse(date) > now) found.birth_date = "This date has not come yet";
    else if (now - Date.parse(date) > 130 * 366 * 86_400_000) found.birth_date = "More than 130 years ago: check the year";
  }
  if (form.accession.trim().length > 16) found.accession = "At most 16 characters, as in the images";
  form.procedures.forEach((procedure, index) => {
    if (!procedure.description.trim()) found[`procedures.${index}.description`] = "What is to be read, such as CT head";
  });
  return found;
}

const text = (value: string): string | null => value.trim() || null;

/** As the server takes it. */
export function orderBody(form: OrderForm, confirmPatient: boolean): Record<string, unknown> {
  return {
    facility_id: form.facility_id,
    patient: { identifier: form.identifier.trim(), authority: text(form.authority), family_name: form.family_name.trim(), given_name: form.given_name.trim(), birth_date: form.birth_date.trim() ? parseDate(form.birth_date) : null, sex: text(form.sex) },
    accession: text(form.accession),
    priority: form.priority,
    indication: text(form.indication),
    referrer_name: text(form.referrer_name),
    referrer_phone: text(form.referrer_phone),
    procedures: form.procedures.map((procedure) => ({ description: procedure.description.trim(), modality: text(procedure.modality), laterality: text(procedure.laterality) })),
    confirm_patient: confirmPatient,
  };
}
