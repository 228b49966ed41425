import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { api, queryClient, url } from "../../api/client";
import { herePlace, mayEnter, useSession } from "../../api/session";
import type { PatientFile, PatientHit, PatientMerge } from "../../api/types";
import { age, Button, dayClock, Empty, ErrorState, Foot, Note, Page, Panel, patientName, type Place, plainDate, ReasonDialog, SkeletonRows, toast, useKeys, useNow } from "../../kit";
import { MergeDialog } from "./MergeDialog";
import { HitLine } from "./PatientPicker";
import { OrdersPanel, ReportsPanel, StudiesPanel } from "./Papers";

/** One patient: who they are, all that follows them, and with whom they were merged. Looking is recorded. */
export function PatientFilePage({ id }: { id: string }) {
  const session = useSession();
  const navigate = useNavigate();
  const here = herePlace(session);
  const [merging, setMerging] = useState<{ first?: PatientHit } | null>(null);
  const [undoing, setUndoing] = useState<PatientMerge | null>(null);
  const found = useQuery({ queryKey: ["patients", id], queryFn: ({ signal }) => api.get<PatientFile>(url`/api/patients/${id}`, signal), staleTime: Infinity });
  const file = found.data;
  const mayMerge = file !== undefined && file.may_merge && file.goes_on_as === null;
  const again = () => queryClient.invalidateQueries({ predicate: ({ queryKey, meta }) => queryKey[0] === "patients" || (meta?.topics?.includes("study") ?? false) });
  useKeys("Patient", [
    { id: "patient.merge", keys: ["m"], label: "Merge with another patient", when: () => mayMerge, run: () => setMerging({}) },
    { id: "patient.back", keys: ["Escape"], label: "Back", run: () => void navigate(-1) },
  ]);
  return (
    <Page
      title="Patient"
      crumb={{ label: "Patients", to: "/patients" }}
      windowTitle="Patient"
      chip={
        mayMerge && (
          <Button size="sm" keyHint="m" onClick={() => setMerging({})}>
            Merge with …
          </Button>
        )
      }
    >
      {file ? (
        <div className="page">
          <div className="pa">
            <div className="pa-top">
              <Who file={file} />
              {file.goes_on_as && (
                <Note tone="amber">
                  This patient was merged and goes on as{" "}
                  <Link to={`/patients/${file.goes_on_as.id}`}>{patientName(file.goes_on_as)}</Link>, who has their studies and orders now.
                </Note>
              )}
              {file.reports.some((report) => report.state !== "withdrawn" && (report.signed_for ?? report.images_of)) && (
                <Note tone="amber">A report here was signed under another identity. It is not moved by itself: look at it, and correct or withdraw it.</Note>
              )}
            </div>
            <div className="pa-col">
              <StudiesPanel file={file} />
              <ReportsPanel file={file} place={here} />
              <OrdersPanel file={file} place={here} />
            </div>
            <div className="pa-col">
              {file.may_merge && file.goes_on_as === null && (
                <Panel title="May be the same person" count={file.near.length} sub="same birth date, like name">
                  {file.near.length === 0 ? (
                    <p className="quiet-line">Nobody else of {file.organization_name} has this birth date and a like name.</p>
                  ) : (
                    <ul className="pa-l" aria-label="May be the same person">
                      {file.near.map((hit) => (
                        <li key={hit.patient.id}>
                          <Link className="pa-go" to={`/patients/${hit.patient.id}`}>
                            <HitLine hit={hit} />
                          </Link>
                          <Button size="sm" aria-label={`Compare with ${patientName(hit.patient)}`} onClick={() => setMerging({ first: hit })}>
                            Compare
                          </Button>
                        </li>
                      ))}
                    </ul>
                  )}
                </Panel>
              )}
              <Merges file={file} place={here} onUndo={setUndoing} />
            </div>
          </div>
          <Foot keys={[...(mayMerge ? [{ keys: ["m"], label: "merge" }] : []), { keys: ["Escape"], label: "back" }, { keys: ["?"], label: "all keys" }]}>
            <span>{file.organization_name}</span>
          </Foot>
        </div>
      ) : found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : (
        <SkeletonRows rows={10} />
      )}
      {file && merging && (
        <MergeDialog
          file={file}
          first={merging.first}
          onClose={() => setMerging(null)}
          onMerged={(survivor) => {
            setMerging(null);
            void again();
            if (survivor !== id) void navigate(`/patients/${survivor}`);
          }}
        />
      )}
      {undoing && (
        <ReasonDialog
          title="Take the merge back"
          confirm="Make them two again"
          usual={["Two persons after all", "The wrong patient was chosen"]}
          danger
          onClose={() => setUndoing(null)}
          onReason={async (reason) => {
            await api.post(url`/api/merges/${undoing.id}/undo`, { reason });
            toast({ tone: "done", text: "They are two again. What followed the merge went back" });
            setUndoing(null);
            void again();
          }}
        >
          <p>
            Studies, orders and open cases that followed the merge go back to {undoing.is_survivor ? (undoing.other ? patientName(undoing.other) : "the other patient") : file && patientName(file.patient)}. Orders that came since under either identifier stay where they are: look at them afterwards.
          </p>
        </ReasonDialog>
      )}
    </Page>
  );
}

function Who({ file }: { file: PatientFile }) {
  const now = useNow();
  const { patient } = file;
  return (
    <section className="banner pa-who" aria-label="Patient">
      <div className="who">
        <span className="l">Patient</span>
        <span className="v" data-testid="patient-name">
          {patientName(patient)}
        </span>
      </div>
      <Value label="Born">{patient.birth_date ? `${plainDate(patient.birth_date)}, ${age(patient.birth_date, now)}` : "not known"}</Value>
      <Value label="Sex">{patient.sex ?? "not known"}</Value>
      {patient.identifiers.map((one) => (
        <Value key={`${one.authority} ${one.value}`} label={`Identifier, ${one.authority}`}>
          {one.value}
        </Value>
      ))}
      {file.merges
        .filter((merge) => merge.is_survivor && merge.undone_at === null)
        .flatMap((merge) => merge.other?.identifiers ?? [])
        .map((one) => (
          <Value key={`${one.authority} ${one.value}`} label={`By a merge, ${one.authority}`}>
            {one.value}
          </Value>
        ))}
      <Value label="Client">{file.organization_name}</Value>
    </section>
  );
}

function Value({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div>
      <span className="l">{label}</span>
      <span className="v num">{children}</span>
    </div>
  );
}

/** What was merged, by whom and why; only the last merge of a patient can be taken back. */
function Merges({ file, place, onUndo }: { file: PatientFile; place: Place; onUndo: (merge: PatientMerge) => void }) {
  const mayOpen = mayEnter(useSession(), "patients");
  return (
    <Panel title="Merges" count={file.merges.length}>
      {file.merges.length === 0 ? (
        <Empty title="Never merged" icon="link">
          If this person is here a second time, merge the two: studies, orders and open cases follow, and can be taken back.
        </Empty>
      ) : (
        <ul className="pa-l" aria-label="Merges">
          {file.merges.map((merge) => (
            <li key={merge.id}>
              <span className="grow">
                <span>
                  {merge.is_survivor ? "" : "Merged into "}
                  {merge.other && mayOpen ? <Link to={`/patients/${merge.other.id}`}>{patientName(merge.other)}</Link> : "A patient"}
                  {merge.is_survivor ? " was merged into this patient" : ""}
                </span>
                <span className="q num">{merge.other?.identifiers.map((one) => `${one.value}, ${one.authority}`).join(" · ")}</span>
                <p>{merge.reason}</p>
                <p className="q sm">
                  By {merge.made_by ?? "the site's system"}, {dayClock(merge.made_at, place.zone)} {place.label}
                </p>
                {merge.undone_at && (
                  <p className="q sm">
                    Taken back by {merge.undone_by ?? "the site's system"}, {dayClock(merge.undone_at, place.zone)} {place.label}: {merge.undo_reason}
                  </p>
                )}
              </span>
              {merge.undone_at === null && file.may_merge && (
                <Button size="sm" icon="undo" onClick={() => onUndo(merge)}>
                  Take back
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
