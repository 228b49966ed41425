import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api, queryClient, url } from "../../api/client";
import { mayEnter, useSession } from "../../api/session";
import type { CorrectionStep, KnownPatient, StudyIdentity } from "../../api/types";
import { Button, Chip, dayClock, GarbledText, Note, patientName, type Place, ReasonDialog, toast } from "../../kit";
import { imageCount } from "../board/words";
import { FileUnderDialog } from "./FileUnderDialog";
import "../patients/patients.css";
import "./identity.css";
import { PutRightDialog } from "./PutRightDialog";
import { compared, stepWords, valueWords } from "./words";

export type Asking = { what: "file"; under?: KnownPatient } | { what: "put-right" | "take-off" | "take-back" | "release" } | null;

export function useIdentity(studyId: string) {
  return useQuery({ queryKey: ["identity", studyId], queryFn: ({ signal }) => api.get<StudyIdentity>(url`/api/studies/${studyId}/identity`, signal), meta: { topics: ["study", "order"] }, staleTime: 30_000 });
}

/** What depends on whose a study is: its case, the board, the patient's page. */
export function renewIdentity(): void {
  void queryClient.invalidateQueries({ predicate: ({ queryKey, meta }) => queryKey[0] === "identity" || queryKey[0] === "patients" || (meta?.topics?.some((topic) => topic === "study" || topic === "case") ?? false) });
}

/** Value by value; whom an identifier names here can be taken with one click. */
export function Whose({ identity, onAsk }: { identity: StudyIdentity; onAsk: (asking: Asking) => void }) {
  const session = useSession();
  const mayOpen = mayEnter(session, "patients");
  const { patient, images } = identity;
  const several = images.length > 1;
  return (
    <table className="two" aria-label="Whom the images name">
      <thead>
        <tr>
          <th aria-label="What" />
          <th scope="col">
            Filed under <Chip tone="outline">what goes out says this</Chip>
          </th>
          {images.map((one, index) => (
            <th scope="col" key={index}>
              <span className="num">{imageCount(one.number_of_instances)}</span> <span className="n">{several ? "name" : "as they came"}</span> {identity.charset_suspect && index === 0 && <GarbledText />}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {compared(identity).map((line) => (
          <tr key={line.label}>
            <th scope="row" className="q">
              {line.label}
            </th>
            <td className="num">{line.label === "Name" && patient && mayOpen ? <Link to={`/patients/${patient.id}`}>{line.filed}</Link> : line.filed}</td>
            {line.images.map((cell, index) => (
              <td key={index} className={`num${cell.differs ? " amber" : ""}`}>
                {cell.text}
                {cell.differs && <span className="sr"> (differs)</span>}
              </td>
            ))}
          </tr>
        ))}
        <tr>
          <th scope="row" className="q">
            Known here
          </th>
          <td />
          {images.map((one, index) => (
            <td key={index}>
              <Known known={one.known} patient={patient} mayOpen={mayOpen} onFile={(under) => onAsk({ what: "file", under })} />
            </td>
          ))}
        </tr>
      </tbody>
    </table>
  );
}

function Known({ known, patient, mayOpen, onFile }: { known: KnownPatient | null; patient: KnownPatient | null; mayOpen: boolean; onFile: (known: KnownPatient) => void }): ReactNode {
  if (!known) return <span className="q">nobody bears this identifier</span>;
  if (known.id === patient?.id) return <span className="q">the same patient</span>;
  return (
    <>
      <span className="amber">{mayOpen ? <Link to={`/patients/${known.id}`}>{patientName(known)}</Link> : patientName(known)}</span>{" "}
      <Button size="sm" onClick={() => onFile(known)}>
        File under {patientName(known)}
      </Button>
    </>
  );
}

/** What can be done. `keys`: the page registers them, and they are shown. */
export function IdentityActions({ identity, keys, onAsk }: { identity: StudyIdentity; keys?: boolean; onAsk: (asking: Asking) => void }) {
  const hint = (key: string) => (keys ? key : undefined);
  return (
    <div className="row" style={{ flexWrap: "wrap" }}>
      {identity.match_state === "held" && (
        <Button look="primary" keyHint={hint("r")} onClick={() => onAsk({ what: "release" })}>
          {identity.images.length > 1 && identity.patient ? `All are ${patientName(identity.patient)}: release` : "Release it for matching"}
        </Button>
      )}
      <Button keyHint={hint("f")} onClick={() => onAsk({ what: "file" })}>
        File under another patient
      </Button>
      <Button keyHint={hint("p")} onClick={() => onAsk({ what: "put-right" })}>
        Put right by hand
      </Button>
      {identity.match_state === "matched" && (
        <Button keyHint={hint("o")} onClick={() => onAsk({ what: "take-off" })}>
          Take off the order
        </Button>
      )}
    </div>
  );
}

/** What was put right, newest first; the step in force can be taken back, but of a merge with its merge alone. */
export function StepList({ identity, place, onAsk }: { identity: StudyIdentity; place: Place; onAsk: (asking: Asking) => void }) {
  return (
    <ul className="id-s" aria-label="What was put right">
      {[...identity.steps].reverse().map((step) => (
        <li key={step.id}>
          <div className="row sp">
            <span className="row">
              <b>{stepWords(step)}</b>
              {step.is_in_force && <Chip tone="accent">in force</Chip>}
            </span>
            {step.is_in_force && <Back step={step} identity={identity} onAsk={onAsk} />}
          </div>
          {step.kind !== "undone" && (
            <dl className="id-c">
              {step.changes.map((change) => (
                <div key={change.tag} style={{ display: "contents" }}>
                  <dt>{change.name}</dt>
                  <dd className="num">
                    {valueWords(change.tag, change.value)}
                    {change.original !== null && change.original !== change.value && (
                      <>
                        {" "}
                        <s>{valueWords(change.tag, change.original)}</s>
                      </>
                    )}
                  </dd>
                </div>
              ))}
            </dl>
          )}
          <p>{step.reason}</p>
          <p className="q sm">
            By {step.made_by ?? "the platform"}, {dayClock(step.made_at, place.zone)} {place.label}
          </p>
        </li>
      ))}
    </ul>
  );
}

function Back({ step, identity, onAsk }: { step: CorrectionStep; identity: StudyIdentity; onAsk: (asking: Asking) => void }) {
  const mayOpen = mayEnter(useSession(), "patients");
  if (step.kind === "merged") return identity.patient && mayOpen ? <Link to={`/patients/${identity.patient.id}`}>Take the merge back there</Link> : null;
  return (
    <Button size="sm" icon="undo" onClick={() => onAsk({ what: "take-back" })}>
      Take back
    </Button>
  );
}

/** `onReleased`: the study is held no more. */
export function IdentityDialogs({ identity, asking, onClose, onReleased }: { identity: StudyIdentity; asking: Asking; onClose: () => void; onReleased?: () => void }) {
  const id = identity.study_id;
  const ask = async (path: string, reason: string, words: string) => {
    await api.post(path, { reason });
    toast({ tone: "done", text: words });
    renewIdentity();
    onClose();
  };
  const done = () => {
    renewIdentity();
    if (identity.match_state === "held") onReleased?.();
  };
  switch (asking?.what) {
    case "file":
      return <FileUnderDialog identity={identity} first={asking.under} onClose={onClose} onDone={done} />;
    case "put-right":
      return <PutRightDialog identity={identity} onClose={onClose} onDone={renewIdentity} />;
    case "take-off":
      return (
        <ReasonDialog title="Take off the order" confirm="Take it off" danger usual={["The wrong order was chosen", "The order is for another examination"]} onClose={onClose} onReason={(reason) => ask(url`/api/studies/${id}/take-off-order`, reason, "Taken off. The study waits for its order")}>
          <p>
            The study does not answer {identity.orders.map((order) => [order.description, order.accession].filter(Boolean).join(", ")).join("; ") || "its order"} after all, and waits again. A case without images is cancelled; a report that is signed stays, and an alarm asks for it to be corrected or withdrawn.
          </p>
        </ReasonDialog>
      );
    case "take-back":
      return (
        <ReasonDialog title="Take the last step back" confirm="Take it back" usual={["The wrong patient was chosen", "It was right as it came"]} onClose={onClose} onReason={(reason) => ask(url`/api/studies/${id}/corrections/undo`, reason, "Taken back. What was in force before holds again")}>
          <p>What the study said before this step goes out again, and it is filed as it was then.</p>
        </ReasonDialog>
      );
    case "release":
      return (
        <ReasonDialog
          title={identity.patient ? `All images are ${patientName(identity.patient)}` : "Release the study"}
          confirm="Release it for matching"
          usual={["One patient: identifier typed wrongly at the scanner", "Checked with the site by phone"]}
          onClose={onClose}
          onReason={async (reason) => {
            await ask(url`/api/studies/${id}/release`, reason, "Released: it is matched by itself if exactly one order fits");
            onReleased?.();
          }}
        >
          <Note>Release it only when you know that all its images are of this one patient: on their way out they all name them. The images stay as they are.</Note>
        </ReasonDialog>
      );
    default:
      return null;
  }
}
