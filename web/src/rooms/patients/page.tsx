import { TextInput } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { Link, useParams } from "react-router";
import { herePlace, useSession } from "../../api/session";
import { Empty, ErrorState, Foot, Page, Panel, SkeletonRows } from "../../kit";
import { DoubtsPanel } from "./Doubts";
import { PatientFilePage } from "./FilePage";
import { HeldReportsPanel } from "./HeldReports";
import { HitLine, usePatientSearch } from "./PatientPicker";
import "../board/board.css";
import "./patients.css";

export default function PatientsRoom() {
  const { patientId } = useParams();
  return patientId ? <PatientFilePage key={patientId} id={patientId} /> : <FindPage />;
}

/** Finds a patient of the clients that one looks after. What is typed never stands in an address. */
function FindPage() {
  const session = useSession();
  const [words, setWords] = useState("");
  const [born, setBorn] = useState("");
  const field = useRef<HTMLInputElement>(null);
  // The page is for nothing else.
  useEffect(() => field.current?.focus(), []);
  const { found, enabled } = usePatientSearch(words, born, null);
  const hits = found.data ?? [];
  return (
    <Page title="Patients" windowTitle="Patients">
      <div className="page">
        <div className="mg two-up">
          <Panel className="clip" title="Find a patient" count={enabled && found.data ? hits.length : undefined} sub="of the sites that you look after; whom you see is recorded">
            <div className="pa-ask pa-find">
              <TextInput ref={field} label="Identifier or name" placeholder="4471-0932, or Haugland Ingrid" value={words} autoComplete="off" spellCheck={false} onChange={(event) => setWords(event.currentTarget.value)} />
              <TextInput label="Born" type="date" value={born} onChange={(event) => setBorn(event.currentTarget.value)} />
            </div>
            {!enabled ? (
              <Empty title="Whom do you look for?" icon="people">
                Type an identifier or its beginning, the beginning of a name, or choose a birth date. With both, people born that day whose names are alike are shown too.
              </Empty>
            ) : found.isError ? (
              <ErrorState error={found.error} retry={() => void found.refetch()} />
            ) : found.isPending ? (
              <SkeletonRows rows={4} />
            ) : hits.length === 0 ? (
              <Empty title="Nobody is found so" icon="people">
                Try fewer letters of the family name, or the birth date alone. Patients of sites that you do not look after are not shown.
              </Empty>
            ) : (
              <ul className="pa-l scroll" aria-label="Patients found">
                {hits.map((hit) => (
                  <li key={hit.patient.id}>
                    <Link className="pa-go" to={`/patients/${hit.patient.id}`}>
                      <HitLine hit={hit} />
                    </Link>
                    <span className="q sm">{hit.organization_name}</span>
                  </li>
                ))}
              </ul>
            )}
          </Panel>
          <DoubtsPanel place={herePlace(session)} />
          <HeldReportsPanel place={herePlace(session)} />
        </div>
        <Foot keys={[{ keys: ["Tab"], label: "to the patients" }, { keys: ["Enter"], label: "open" }, { keys: ["?"], label: "all keys" }]} />
      </div>
    </Page>
  );
}
