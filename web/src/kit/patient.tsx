import type { ReactNode } from "react";
import { useNow } from "./now";
import { PriorityMark } from "./PriorityMark";
import { age, clock, type Instant, MINUTE, type Place, plainDate, span } from "./time";
import { TimeLeft } from "./TimeLeft";

/** Identity as every page shows it (the server's `Banner` fits); this file is the only place that formats it. */
export interface PatientIdentity {
  family_name: string;
  given_name?: string | null;
  /** "1958-03-14", also partial. */
  birth_date?: string | null;
  /** HL7 table 0001: F, M, O, U ... */
  sex?: string | null;
  identifiers: readonly { authority: string; value: string }[];
}

type Name = Pick<PatientIdentity, "family_name" | "given_name">;

/** "HAUGLAND, Ingrid Marie" */
export function patientName(patient: Name): string {
  const family = patient.family_name.toUpperCase();
  return patient.given_name ? `${family}, ${patient.given_name}` : family;
}

/** In a table: the family name stands out, nothing is cut. */
export function PatientName({ patient }: { patient: Name }) {
  return (
    <span>
      <span className="m">{patient.family_name.toUpperCase()}</span>
      {patient.given_name && `, ${patient.given_name}`}
    </span>
  );
}

/** "F 68"; years without their unit, younger with it: "M 14 mo". */
export function SexAge({ patient, at, zone }: { patient: PatientIdentity; at: Instant; zone?: string }) {
  const years = patient.birth_date ? age(patient.birth_date, at, zone).replace(/ y$/, "") : "";
  return <>{[patient.sex ?? "", years].filter(Boolean).join(" ") || "–"}</>;
}

/** "14 Mar 1958 (68 y) · F · MRN 4471-0932" */
export function PatientLine({ patient, at, zone }: { patient: PatientIdentity; at: Instant; zone?: string }) {
  return (
    <span className="num q">
      {patient.birth_date && `${plainDate(patient.birth_date)} (${age(patient.birth_date, at, zone)}) · `}
      {patient.sex && `${patient.sex} · `}
      <span className="nw">MRN {patient.identifiers[0]?.value ?? "none"}</span>
    </span>
  );
}

export interface PatientBannerProps {
  patient: PatientIdentity;
  accession?: string | null;
  exam?: string | null;
  site: Place;
  priority: string;
  promise?: { minutes: number | null; start: Instant | null; due: Instant | null; stopped?: Instant | null } | null;
  /** The reader's own place, for the tooltip and "due". */
  here?: Place;
  /** In place of the countdown once the case is closed: "Kept, in 25:27". */
  outcome?: ReactNode;
}

/** The same on every page about a patient; two identifiers never leave it at any width. */
export function PatientBanner({ patient, accession, exam, site, priority, promise, here, outcome }: PatientBannerProps) {
  const now = useNow();
  const first = patient.identifiers[0];
  const places = here && here.zone !== site.zone ? [site, here] : [site];
  return (
    <section className="banner" aria-label="Patient">
      <div className="who">
        <span className="l">Patient</span>
        <span className="v" data-testid="patient-name">
          {patientName(patient)}
        </span>
      </div>
      <Field label="Born">{patient.birth_date ? `${plainDate(patient.birth_date)}, ${age(patient.birth_date, now, site.zone)}` : "not known"}</Field>
      <Field label="Sex">{patient.sex || "–"}</Field>
      <Field label={first ? `MRN, ${first.authority}` : "MRN"}>{first?.value ?? "none"}</Field>
      <Field label="Accession">{accession || "none"}</Field>
      {exam && (
        <Field label="Exam" optional>
          {exam}
        </Field>
      )}
      <Field label={`Site, ${clock(now, site.zone)} there`} optional>
        {site.label}
      </Field>
      <div className="clk">
        <span className="l row sp">
          <span>{promise?.minutes != null ? `Promise ${span(promise.minutes * MINUTE)}` : "No promise"}</span>
          {promise?.due != null && <span className="num">due {clock(promise.due, (here ?? site).zone)}</span>}
        </span>
        <span className="row" style={{ gap: 10 }}>
          <PriorityMark priority={priority} />
          <span className="grow">{outcome ?? <TimeLeft due={promise?.due} start={promise?.start} stopped={promise?.stopped} places={places} />}</span>
        </span>
      </div>
    </section>
  );
}

function Field({ label, children, optional }: { label: string; children: ReactNode; optional?: boolean }) {
  return (
    <div className={optional ? "may-go" : undefined}>
      <span className="l">{label}</span>
      <span className="v">{children}</span>
    </div>
  );
}
