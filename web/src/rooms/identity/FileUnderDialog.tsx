import { Textarea } from "@mantine/core";
import { useState } from "react";
import { api, url } from "../../api/client";
import type { KnownPatient, PatientHit, StudyIdentity } from "../../api/types";
import { Button, ConfirmDialog, Note, patientName, toast, UsualReasons } from "../../kit";
import { PatientPicker } from "../patients/PatientPicker";
import { TwoPatients } from "../patients/TwoPatients";

const USUAL = ["The wrong line of the worklist was chosen", "Confirmed with the site by phone", "Identifier typed wrongly at the scanner"];

/** Files the study under somebody, who is chosen and looked at beside whom it is filed under now. Mount it when it is to be open. */
export function FileUnderDialog({ identity, first, onClose, onDone }: { identity: StudyIdentity; first?: KnownPatient; onClose: () => void; onDone: () => void }) {
  const hit = (patient: KnownPatient): PatientHit => ({ patient, organization_id: identity.organization_id, organization_name: "", why: "identifier" });
  const [chosen, setChosen] = useState<PatientHit | null>(first ? hit(first) : null);
  const [reason, setReason] = useState("");
  const named = identity.images.flatMap((one) => (one.known && one.known.id !== identity.patient?.id ? [hit(one.known)] : []));
  const now = identity.patient;
  return (
    <ConfirmDialog
      opened
      title="File under another patient"
      width={720}
      danger
      confirm={chosen ? `File under ${patientName(chosen.patient)}` : "File"}
      ready={chosen !== null && reason.trim().length > 2}
      onClose={onClose}
      onConfirm={async () => {
        await api.post(url`/api/studies/${identity.study_id}/patient`, { patient_id: chosen?.patient.id, reason: reason.trim() });
        toast({ tone: "done", text: "Filed. On their way out all its images name this patient; it can be taken back" });
        onDone();
        onClose();
      }}
    >
      <div className="pa-merge">
        {!chosen ? (
          <PatientPicker organizationId={identity.organization_id} without={now?.id} offered={named} chosen={null} onChoose={setChosen} />
        ) : (
          <>
            <TwoPatients
              one={now ?? { family_name: "nobody", identifiers: [] }}
              other={chosen.patient}
              heads={[
                <span key="now" className="q">
                  Filed under now
                </span>,
                <b key="then">Then filed under</b>,
              ]}
            />
            <div>
              <Button size="sm" look="quiet" onClick={() => setChosen(null)}>
                Choose somebody else
              </Button>
            </div>
            {identity.match_state === "matched" && (
              <Note tone="amber">The study leaves its order, which is of another patient. A case without images is cancelled; a report that is signed stays, and an alarm asks for it to be corrected or withdrawn.</Note>
            )}
            <Textarea label="Reason, kept in the record" value={reason} maxLength={500} data-autofocus onChange={(event) => setReason(event.currentTarget.value)} />
            <UsualReasons reasons={USUAL} onTake={setReason} />
          </>
        )}
      </div>
    </ConfirmDialog>
  );
}
