import type { ViewerMeasurement } from "../../../viewer/protocol";
import type { ListItem, Version, Workspace } from "../../api/types";
import { Button, Note, type PatientIdentity, PatientLine, patientName, plainDate, relative, ReportText, useNow } from "../../kit";
import { Checks } from "./Checks";
import type { CheckAction, ShownCheck } from "./checks";
import { ReportBody, ReportHead, SavedLine } from "./Report";
import { IdentityChangedDialog, ImagesDisagreeDialog, NewImagesDialog, ProveDialog } from "./SignDialogs";
import { SIGN_WORDS, type SignKind } from "./sign";
import type { OpenDraft } from "./useDraft";
import type { Signing } from "./useSigning";
import { send } from "./viewer/store";

interface Props {
  workspace: Workspace;
  identity: PatientIdentity;
  accession: string | null;
  zone: string;
  signer: string;
  draft: OpenDraft;
  locked: boolean;
  signed: Version | null;
  checks: readonly ShownCheck[];
  checking: boolean;
  stopped: boolean;
  kinds: { main: SignKind; preliminary: boolean };
  signing: Signing;
  following: ListItem | null;
  measurements: readonly ViewerMeasurement[];
  onSign: (kind: SignKind) => void;
  onAct: (action: CheckAction) => void;
  onNext: () => void;
  onReopen: () => void;
}

/** Right of the images: the report, what stands before its signature, and who signs what for whom. */
export function ReportColumn(props: Props) {
  const { workspace, draft, signed, signing, identity, accession, zone } = props;
  if (signed) return <SignedColumn version={signed} {...props} />;
  return (
    <section className="rep" aria-label="Report">
      <ReportHead workspace={workspace} signed={false} />
      <Trouble draft={draft} onReopen={props.onReopen} />
      <ReportBody workspace={workspace} zone={zone} content={draft.content} keeper={draft.keeper} locked={props.locked} />
      {props.measurements.length > 0 && <Measurements all={props.measurements} />}
      <Checks checks={props.checks} waiting={props.checking && props.checks.length === 0} onAct={props.onAct} />
      <div className="sign">
        <div className="nw cut">
          <b className="m">{patientName(identity)}</b> <span className="num q">{identifiers(identity)}</span>
        </div>
        <div className="row">
          <span className="sm grow saved">
            <span className="num q">{accession ?? "No accession"}</span>
            <br />
            <SavedLine status={draft.status} />
          </span>
          {props.kinds.preliminary && (
            <Button title="Preliminary (Ctrl+Shift+Enter)" disabled={props.locked} busy={signing.busy} onClick={() => props.onSign("preliminary")}>
              Preliminary
            </Button>
          )}
          <Button look="primary" className={props.stopped ? "is-hold" : undefined} keyHint="Ctrl+Enter" disabled={props.locked} busy={signing.busy} title={props.stopped ? "A check stops it" : undefined} onClick={() => props.onSign(props.kinds.main)}>
            {SIGN_WORDS[props.kinds.main].button}
          </Button>
        </div>
      </div>
      {(signing.ask?.what === "prove" || signing.ask?.what === "totp") && <ProveDialog who={props.signer} wrong={false} totp={signing.ask.what === "totp"} words={SIGN_WORDS[signing.ask.kind].button} onClose={signing.cancel} onProof={signing.prove} />}
      {signing.ask?.what === "new-images" && <NewImagesDialog onClose={signing.cancel} onReason={signing.reason} />}
      {signing.ask?.what === "identity-changed" && <IdentityChangedDialog onClose={signing.cancel} onReason={signing.reason} />}
      {signing.ask?.what === "images-disagree" && <ImagesDisagreeDialog says={props.checks.filter((check) => check.id.startsWith("images-disagree")).map((check) => check.text)} onClose={signing.cancel} onReason={signing.reason} />}
    </section>
  );
}

/** "· 14 Mar 1958 · MRN 4471-0932": with the name, two more to tell apart. */
function identifiers(identity: PatientIdentity): string {
  return [identity.birth_date ? plainDate(identity.birth_date) : "", `MRN ${identity.identifiers[0]?.value ?? "none"}`].filter(Boolean).map((part) => `· ${part}`).join(" ");
}

function Trouble({ draft, onReopen }: { draft: OpenDraft; onReopen: () => void }) {
  const now = useNow();
  if (draft.found) {
    return (
      <div className="strip">
        <Note
          tone="amber"
          role="alert"
          action={
            <span className="row">
              <Button size="sm" onClick={draft.useFound}>
                Use it
              </Button>
              <Button size="sm" look="quiet" onClick={draft.dropFound}>
                Leave it
              </Button>
            </span>
          }
        >
          This browser holds text from {relative(draft.found.at, now)} that never reached the server; the draft was changed since.
        </Note>
      </div>
    );
  }
  if (draft.status.state === "moved-on") {
    return (
      <div className="strip">
        <Note tone="red" role="alert" action={<Button size="sm" onClick={onReopen}>Take it over here</Button>}>
          This report was opened in another window. Writing goes on there.
        </Note>
      </div>
    );
  }
  if (draft.status.state === "taken") {
    return (
      <div className="strip">
        <Note tone="red" role="alert" action={<Button size="sm" onClick={onReopen}>Try again</Button>}>
          {draft.status.problem ?? "Somebody else has this report now."}
        </Note>
      </div>
    );
  }
  return null;
}

function Measurements({ all }: { all: readonly ViewerMeasurement[] }) {
  return (
    <div className="meas" aria-label="Measurements">
      {all.slice(0, 9).map((one, index) => (
        <button key={one.uid} type="button" className="pick ms" title={`${one.label || one.tool}: to its image (Ctrl+${index + 1})`} onClick={() => send({ kind: "measurement", uid: one.uid })}>
          {one.text || one.tool} <i>{index + 1}</i>
        </button>
      ))}
    </div>
  );
}

function SignedColumn({ version, workspace, identity, zone, following, onNext }: Props & { version: Version }) {
  const now = useNow();
  return (
    <section className="rep" aria-label="Report">
      <ReportHead workspace={workspace} signed />
      <div className="ed scroll is-signed">
        <PatientLine patient={identity} at={now} zone={zone} />
        <ReportText version={version} zone={zone} />
      </div>
      <div className="sign">
        <div className="row">
          <span className="sm q grow">{following ? `Next: ${following.patient ? patientName(following.patient) : "unmatched"}, ${following.exam}` : "Nothing else is waiting for you"}</span>
          <a className="btn" href={`/api/reports/${encodeURIComponent(version.id)}/pdf`} target="_blank" rel="noreferrer">
            PDF
          </a>
          <Button look="primary" keyHint="n" onClick={onNext}>
            {following ? "Next case" : "To my list"}
          </Button>
        </div>
      </div>
    </section>
  );
}
