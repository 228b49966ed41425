import { SegmentedControl, Select, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { api } from "../../api/client";
import { useSession } from "../../api/session";
import type { Deletable } from "../../api/types";
import { Button, ConfirmDialog, Dialog, Facts, Note, toast, UsualReasons } from "../../kit";
import { studyLine } from "./words";

const USUAL = ["Asked for by the patient, and granted", "Test images", "Another patient's images, sent again rightly"];
const TYPED = 4;

/** Finds a study, then asks why and for the end of its UID. */
export function DeleteDialog({ days, onClose, onDone }: { days: number; onClose: () => void; onDone: () => void }) {
  const [study, setStudy] = useState<Deletable | null>(null);
  return study ? <Confirm study={study} days={days} onClose={onClose} onDone={onDone} /> : <Find onFound={setStudy} onClose={onClose} />;
}

function Find({ onFound, onClose }: { onFound: (study: Deletable) => void; onClose: () => void }) {
  const session = useSession();
  const clients = session.roles.filter((role) => role.role === "administrator" && role.organization_kind !== "reading_group");
  const [organization, setOrganization] = useState<string | null>(clients[0]?.organization_id ?? null);
  const [by, setBy] = useState<"accession_number" | "study_instance_uid">("accession_number");
  const [typed, setTyped] = useState("");
  const [found, setFound] = useState<Deletable[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const find = async () => {
    setBusy(true);
    setFailure(null);
    try {
      setFound(await api.post<Deletable[]>("/api/admin/deletions/find", { organization_id: organization, [by]: typed.trim() }));
    } catch (error) {
      setFound(null);
      setFailure(error instanceof Error ? error.message : "It could not be looked for");
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog opened title="Delete a study" width={600} onClose={onClose} foot={<Button onClick={onClose}>Back</Button>}>
      <form
        className="rf"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed.trim() && organization && !busy) void find();
        }}
      >
        {clients.length > 1 && (
          <div className="full">
            <Select label="Organisation" required data={clients.map((role) => ({ value: role.organization_id, label: role.organization_name }))} value={organization} allowDeselect={false} onChange={setOrganization} />
          </div>
        )}
        <div className="full">
          <SegmentedControl
            fullWidth
            aria-label="Find it by"
            value={by}
            onChange={(value) => {
              setBy(value as typeof by);
              setFound(null);
            }}
            data={[
              { value: "accession_number", label: "Accession number" },
              { value: "study_instance_uid", label: "Study Instance UID" },
            ]}
          />
        </div>
        <div className="full row" style={{ alignItems: "flex-end", gap: 8 }}>
          <TextInput className="grow" label={by === "accession_number" ? "Accession number" : "Study Instance UID"} required autoComplete="off" data-autofocus value={typed} onChange={(event) => setTyped(event.currentTarget.value)} />
          <Button type="submit" look="primary" keyHint="Enter" busy={busy} disabled={!typed.trim() || !organization}>
            Find
          </Button>
        </div>
        <div className="full" role="status">
          {failure && (
            <Note tone="red" role="alert">
              {failure}
            </Note>
          )}
          {found?.length === 0 && <Note tone="amber">No study of this organisation with images has that {by === "accession_number" ? "number" : "UID"}.</Note>}
          {found && found.length > 0 && (
            <ul className="ul boxed" aria-label="Studies found">
              {found.map((one) => (
                <li key={one.id} className="row" style={{ gap: 12, padding: "8px 12px" }}>
                  <span className="grow" style={{ minWidth: 0 }}>
                    <span className="m">{studyLine(one)}</span>{" "}
                    <span className="q">
                      {one.number_of_instances} images{one.hidden > 0 && `, ${one.hidden} hidden`}
                    </span>
                    <br />
                    <span className="num q cut">{one.study_instance_uid}</span>
                  </span>
                  {one.waits ? (
                    <span className="q">deleted already</span>
                  ) : (
                    <Button size="sm" look="danger" aria-label={`Delete ${one.study_instance_uid}`} onClick={() => onFound(one)}>
                      Delete…
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          )}
        </div>
      </form>
    </Dialog>
  );
}

function Confirm({ study, days, onClose, onDone }: { study: Deletable; days: number; onClose: () => void; onDone: () => void }) {
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const end = study.study_instance_uid.slice(-TYPED);
  return (
    <ConfirmDialog
      opened
      title="Delete this study"
      confirm="Delete"
      danger
      ready={reason.trim().length > 2 && typed.trim() === end}
      width={560}
      onClose={onClose}
      onConfirm={async () => {
        await api.post("/api/admin/deletions", { organization_id: study.organization_id, study_id: study.id, reason: reason.trim(), confirmed: typed.trim() });
        toast({ tone: "done", text: `Hidden. It is gone in ${days} day${days === 1 ? "" : "s"}` });
        onDone();
        onClose();
      }}
    >
      <div className="rf">
        <div className="full">
          <Facts
            facts={[
              ["Study", studyLine(study)],
              ["Images", `${study.number_of_instances} in ${study.number_of_series} series${study.hidden > 0 ? `, and ${study.hidden} that are hidden already` : ""}`],
              ["Study UID", <span key="uid" className="num">{study.study_instance_uid}</span>],
            ]}
          />
        </div>
        {study.has_report && (
          <div className="full">
            <Note tone="amber">A signed report was made of this study. The report stays; its images will be gone.</Note>
          </div>
        )}
        <p className="q full">
          Nobody sees its images from now on. For {days} day{days === 1 ? "" : "s"} this can be undone; then they are gone for good.
        </p>
        <div className="full">
          <Textarea label="Reason, kept in the record" required data-autofocus maxLength={500} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <UsualReasons reasons={USUAL} onTake={setReason} />
        </div>
        <div className="full">
          <TextInput label={`The last ${TYPED} characters of the Study UID`} required autoComplete="off" maxLength={TYPED} value={typed} onChange={(event) => setTyped(event.currentTarget.value)} />
        </div>
      </div>
    </ConfirmDialog>
  );
}
