import { SegmentedControl, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, queryClient, url } from "../../api/client";
import type { PatientDoubt } from "../../api/types";
import { Button, ConfirmDialog, Empty, ErrorState, MINUTE, near, Note, Panel, patientName, type Place, SkeletonRows, toast, useNow } from "../../kit";
import { TwoPatients } from "./TwoPatients";
import { DECISIONS, DOUBTS, otherOf } from "./words";

/** What the sites' messages left in doubt about who somebody is; each waits until a person has said whether it is the same human. */
export function DoubtsPanel({ place }: { place: Place }) {
  const now = useNow(MINUTE);
  const [settling, setSettling] = useState<PatientDoubt | null>(null);
  const found = useQuery({ queryKey: ["patients", "doubts"], queryFn: ({ signal }) => api.get<PatientDoubt[]>("/api/patient-doubts", signal), meta: { topics: ["alarm"] }, refetchInterval: MINUTE });
  const doubts = found.data ?? [];
  return (
    <Panel className="clip" title="In doubt" count={found.data && doubts.length} sub="by what the sites' messages say of a patient">
      {found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : found.isPending ? (
        <SkeletonRows rows={3} />
      ) : doubts.length === 0 ? (
        <Empty title="Nobody is in doubt" icon="check">
          Where a message names a known patient with another name and birth date, or one person by the identifiers of two, it waits here for you.
        </Empty>
      ) : (
        <ul className="pa-l scroll" aria-label="In doubt">
          {doubts.map((doubt) => (
            <li key={doubt.id}>
              <span className="grow">
                <span>
                  <Link to={`/patients/${doubt.patient.id}`}>{patientName(doubt.patient)}</Link> <span className="q">and</span> {doubt.other ? <Link to={`/patients/${doubt.other.id}`}>{patientName(doubt.other)}</Link> : patientName(otherOf(doubt))}
                </span>
                <span className="q sm">
                  {DOUBTS[doubt.kind]} <span className="num">{near(doubt.raised_at, place.zone, now)}</span>, {doubt.organization_name}
                </span>
              </span>
              <Button size="sm" aria-label={`Look at ${patientName(doubt.patient)}`} onClick={() => setSettling(doubt)}>
                Look
              </Button>
            </li>
          ))}
        </ul>
      )}
      {settling && <SettleDialog doubt={settling} onClose={() => setSettling(null)} />}
    </Panel>
  );
}

function SettleDialog({ doubt, onClose }: { doubt: PatientDoubt; onClose: () => void }) {
  const [decision, setDecision] = useState<"same" | "other" | null>(null);
  const [survivor, setSurvivor] = useState(doubt.patient.id);
  const [reason, setReason] = useState("");
  const { other } = doubt;
  const merges = doubt.kind === "two_patients" && decision === "same";
  return (
    <ConfirmDialog
      opened
      title="Are they the same person?"
      width={720}
      danger={doubt.kind !== "told_differs" && decision !== null}
      confirm={decision === null ? "Say which" : DECISIONS[doubt.kind][decision].button}
      ready={decision !== null && reason.trim().length > 2}
      onClose={onClose}
      onConfirm={async () => {
        await api.post(url`/api/patient-doubts/${doubt.id}/settle`, { decision, reason: reason.trim(), survivor_id: merges ? survivor : null });
        toast({ tone: "done", text: "Settled, with what follows of it" });
        void queryClient.invalidateQueries({ queryKey: ["patients"] });
        onClose();
      }}
    >
      <div className="pa-merge">
        <p className="amber">{DOUBTS[doubt.kind]}</p>
        <TwoPatients one={doubt.patient} other={otherOf(doubt)} heads={[doubt.kind === "merged_differ" ? "Goes on" : "Known here", doubt.kind === "told_differs" ? "The message says" : doubt.kind === "merged_differ" ? "Was merged" : "Also known here"]} />
        <SegmentedControl
          fullWidth
          aria-label="Your decision"
          value={decision ?? ""}
          onChange={(value) => setDecision(value as "same" | "other")}
          data={[
            { value: "same", label: "The same person" },
            { value: "other", label: "Two persons" },
          ]}
        />
        {decision && <Note>{DECISIONS[doubt.kind][decision].follows}</Note>}
        {merges && other && (
          <SegmentedControl
            fullWidth
            aria-label="Who goes on"
            value={survivor}
            onChange={setSurvivor}
            data={[doubt.patient, other].map((one) => ({ value: one.id, label: `${patientName(one)}, ${one.identifiers[0]?.value ?? ""} goes on` }))}
          />
        )}
        <Textarea label="Reason, kept in the record" value={reason} maxLength={500} onChange={(event) => setReason(event.currentTarget.value)} />
      </div>
    </ConfirmDialog>
  );
}
