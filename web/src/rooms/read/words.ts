import type { CaseDetail, PriorBrief } from "../../api/types";
import { ms, type PatientIdentity } from "../../kit";

/** Who the report is about; before a match, who the images say it is, and that it is they who say it. */
export function identityOf(detail: CaseDetail): PatientIdentity {
  if (detail.patient) return detail.patient;
  const told = detail.studies[0]?.dicom_patient;
  const [family = "", given = ""] = (told?.name ?? "Not matched").split(/[\^,]\s*/);
  return { family_name: family, given_name: given || null, birth_date: told?.birth_date ?? null, sex: told?.sex ?? null, identifiers: told?.id ? [{ authority: "from the images", value: told.id }] : [] };
}

export function accessionOf(detail: CaseDetail): string | null {
  const all = [...detail.orders.map((order) => order.accession), ...detail.studies.map((study) => study.accession)].filter((one): one is string => Boolean(one));
  return [...new Set(all)].join(", ") || null;
}

const MOST_LOADED = 3;

/** The priors that hang beside this exam or are loaded behind it: of its modality first, newest first. */
export function priorsToLoad(detail: CaseDetail, allowed: readonly string[]): string[] {
  const modalities = new Set(detail.studies.flatMap((study) => study.modalities));
  const alike = (prior: PriorBrief) => prior.modalities.some((one) => modalities.has(one));
  return detail.priors
    .filter((prior) => allowed.includes(prior.study_instance_uid))
    .sort((a, b) => Number(alike(b)) - Number(alike(a)) || (b.study_date ?? "").localeCompare(a.study_date ?? ""))
    .filter(alike)
    .slice(0, MOST_LOADED)
    .map((prior) => prior.study_instance_uid);
}

/** Images that joined the case after this read was opened. */
export function hasLateImages(detail: CaseDetail, openedAt: string | null): boolean {
  return detail.late_images_at !== null && openedAt !== null && ms(detail.late_images_at) > ms(openedAt);
}
