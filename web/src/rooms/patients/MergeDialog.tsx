import { Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, url } from "../../api/client";
import type { PatientFile, PatientHit } from "../../api/types";
import { Button, ConfirmDialog, ErrorState, Note, patientName, SkeletonText, toast, UsualReasons } from "../../kit";
import { PatientPicker } from "./PatientPicker";
import { TwoPatients } from "./TwoPatients";
import { holdings } from "./words";

const USUAL = ["Two cards of one person, confirmed by the site", "Emergency number replaced by the person's own", "Name changed, confirmed by the site"];

/** Two rows that are one person: found, compared, and merged for a reason. Mount it when it is to be open. */
export function MergeDialog({ file, first, onClose, onMerged }: { file: PatientFile; first?: PatientHit; onClose: () => void; onMerged: (survivorId: string) => void }) {
  const [chosen, setChosen] = useState<PatientHit | null>(first ?? null);
  const [reason, setReason] = useState("");
  // Who is looked at goes on, unless it is said otherwise.
  const [swapped, setSwapped] = useState(false);
  const other = useQuery({
    queryKey: ["patients", chosen?.patient.id],
    queryFn: ({ signal }) => api.get<PatientFile>(url`/api/patients/${chosen?.patient.id ?? ""}`, signal),
    enabled: chosen !== null,
    staleTime: Infinity,
  });
  const kept = swapped ? other.data : file;
  const ends = swapped ? file : other.data;
  return (
    <ConfirmDialog
      opened
      title="Merge with another patient"
      width={760}
      danger
      confirm={kept && ends ? `Merge into ${patientName(kept.patient)}` : "Merge"}
      ready={kept !== undefined && ends !== undefined && reason.trim().length > 2}
      onClose={onClose}
      onConfirm={async () => {
        if (!kept || !ends) return;
        await api.post(url`/api/patients/${kept.patient.id}/merge`, { merged_id: ends.patient.id, reason: reason.trim() });
        toast({ tone: "done", text: "Merged. It can be taken back here" });
        onMerged(kept.patient.id);
      }}
    >
      <div className="pa-merge">
        {!chosen ? (
          <PatientPicker organizationId={file.organization_id} without={file.patient.id} offered={file.near} chosen={null} onChoose={setChosen} />
        ) : other.isError ? (
          <ErrorState error={other.error} retry={() => void other.refetch()} />
        ) : !kept || !ends ? (
          <SkeletonText lines={6} />
        ) : (
          <>
            <TwoPatients
              one={kept.patient}
              other={ends.patient}
              heads={[
                <>
                  <b>Goes on</b> <span className="q">all that is theirs bears this name</span>
                </>,
                <>
                  <b>Is merged</b> <span className="q">the identifier means the other one</span>
                </>,
              ]}
              more={[["Has", holdings(kept), holdings(ends)]]}
            />
            <div className="row">
              <Button size="sm" onClick={() => setSwapped((before) => !before)}>
                The other one goes on
              </Button>
              <Button size="sm" look="quiet" onClick={() => setChosen(null)}>
                Choose somebody else
              </Button>
            </div>
            {ends.reports.length > 0 && (
              <Note tone="amber">
                {ends.reports.length === 1 ? "A report is" : `${ends.reports.length} reports are`} signed for {patientName(ends.patient)}. What is signed stays as it was signed, and is flagged here and on its case: look at it, and correct or withdraw what is wrong.
              </Note>
            )}
            <Textarea label="Reason, kept in the record" value={reason} maxLength={500} data-autofocus onChange={(event) => setReason(event.currentTarget.value)} />
            <UsualReasons reasons={USUAL} onTake={setReason} />
          </>
        )}
      </div>
    </ConfirmDialog>
  );
}
