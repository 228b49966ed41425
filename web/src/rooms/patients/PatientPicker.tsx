import { TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import type { PatientHit } from "../../api/types";
import { Chip, ErrorState, patientName, plainDate, SkeletonRows } from "../../kit";
import "./patients.css";
import { WHY } from "./words";

/** What is typed is sent in a body, never in an address; it stays in no cache. */
export function usePatientSearch(words: string, born: string, organizationId: string | null) {
  const [asked] = useDebouncedValue(words.trim(), 250);
  const [day] = useDebouncedValue(/^\d{4}-\d{2}-\d{2}$/.test(born) ? born : "", 250);
  const enabled = asked.length >= 2 || day !== "";
  const found = useQuery({
    queryKey: ["patients", "search", asked, day, organizationId],
    queryFn: () => api.post<PatientHit[]>("/api/patients/search", { words: asked, birth_date: day || null, organization_id: organizationId }),
    enabled,
    gcTime: 0,
    staleTime: Infinity,
  });
  return { found, enabled };
}

interface Props {
  /** Only patients of this client. */
  organizationId: string;
  /** Not to be offered: who it is about. */
  without?: string | null;
  /** Offered before anything is typed: whom the images name, or who may be the same. */
  offered?: readonly PatientHit[];
  chosen: PatientHit | null;
  onChoose: (hit: PatientHit) => void;
}

/** Finds a patient of one client and lets one be chosen. */
export function PatientPicker({ organizationId, without, offered = [], chosen, onChoose }: Props) {
  const [words, setWords] = useState("");
  const [born, setBorn] = useState("");
  const { found, enabled } = usePatientSearch(words, born, organizationId);
  const hits = (enabled ? (found.data ?? []) : offered).filter((hit) => hit.patient.id !== without);
  return (
    <div className="pa-pick">
      <div className="pa-ask">
        <TextInput label="Identifier or name" placeholder="4471-0932, or Haugland Ingrid" value={words} autoComplete="off" spellCheck={false} data-autofocus onChange={(event) => setWords(event.currentTarget.value)} />
        <TextInput label="Born" type="date" value={born} onChange={(event) => setBorn(event.currentTarget.value)} />
      </div>
      {enabled && found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : enabled && found.isPending ? (
        <SkeletonRows rows={3} />
      ) : hits.length === 0 ? (
        <p className="quiet-line bordered">{enabled ? "Nobody of this client is found so. Try the beginning of the family name, or the birth date alone." : "Type at least two letters of a name, the beginning of an identifier, or choose a birth date."}</p>
      ) : (
        <div className="pa-hits scroll" role="radiogroup" aria-label="Patients found">
          {hits.map((hit) => (
            <label key={hit.patient.id} className={`cand${chosen?.patient.id === hit.patient.id ? " on" : ""}`}>
              <input type="radio" name="patient" className="tick rd" checked={chosen?.patient.id === hit.patient.id} onChange={() => onChoose(hit)} />
              <HitLine hit={hit} />
            </label>
          ))}
        </div>
      )}
    </div>
  );
}

/** Who it is, and why they are here. */
export function HitLine({ hit }: { hit: PatientHit }) {
  const { patient } = hit;
  return (
    <>
      <span className="grow">
        <b>{patientName(patient)}</b>
        <span className="q num">
          {[patient.birth_date ? plainDate(patient.birth_date) : "birth date not known", patient.sex ?? "sex not known", ...patient.identifiers.map((one) => `${one.value}, ${one.authority}`)].join(" · ")}
        </span>
      </span>
      <Chip tone={hit.why === "near" || hit.why === "merged" ? "amber" : "outline"}>{WHY[hit.why]}</Chip>
    </>
  );
}
