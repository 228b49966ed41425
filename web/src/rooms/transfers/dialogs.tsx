import { Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { api, url } from "../../api/client";
import type { NodeBrief, StudyBrief } from "../../api/types";
import { ConfirmDialog, Empty, ErrorState, SkeletonRows, toast } from "../../kit";
import { renewTransfers, useNodes } from "./data";
import "./transfers.css";

function NodeSelect({ nodes, value, label, onChange }: { nodes: readonly NodeBrief[]; value: string | null; label: string; onChange: (id: string | null) => void }) {
  return <Select label={label} data={nodes.map((one) => ({ value: one.id, label: one.name }))} value={value} allowDeselect={false} required onChange={onChange} data-autofocus />;
}

const NONE = "An administrator sets nodes up under Administration, DICOM nodes.";

/** Says that it was asked for; to undo is to cancel it. */
function tell(words: string, id: string): void {
  renewTransfers();
  toast({ tone: "done", text: `${words}; how it goes is under Transfers`, undo: () => api.post(url`/api/transfers/${id}/cancel`, {}).then(renewTransfers) });
}

/** Asks a node for a patient's earlier studies. */
export function FetchPriorsDialog({ organizationId, patientId, caseId, about, onClose }: { organizationId: string; patientId: string; caseId: string; about: string; onClose: () => void }) {
  const nodes = useNodes();
  const usable = (nodes.data ?? []).filter((one) => one.is_queried && one.organization_id === organizationId);
  const [chosen, setChosen] = useState<string | null>(null);
  const node = chosen ?? usable[0]?.id ?? null;
  return (
    <ConfirmDialog
      opened
      title="Fetch priors"
      confirm="Fetch"
      ready={node !== null}
      onClose={onClose}
      onConfirm={async () => {
        const made = await api.post<{ id: string }>("/api/transfers/fetch", { node_id: node, patient_id: patientId, case_id: caseId });
        onClose();
        tell("Earlier studies are asked for", made.id);
      }}
    >
      {nodes.isError ? (
        <ErrorState error={nodes.error} retry={() => void nodes.refetch()} />
      ) : !nodes.data ? (
        <SkeletonRows rows={2} />
      ) : usable.length === 0 ? (
        <Empty title="No archive to fetch from" icon="handback">
          {NONE}
        </Empty>
      ) : (
        <>
          <p style={{ marginBottom: 12 }}>
            All earlier studies of <b>{about}</b> that the archive has and that are not here. They need no order and make no case.
          </p>
          <NodeSelect label="From" nodes={usable} value={node} onChange={setChosen} />
        </>
      )}
    </ConfirmDialog>
  );
}

/** Sends a study of a case to a node. */
export function SendStudyDialog({ organizationId, studies, caseId, onClose }: { organizationId: string; studies: readonly StudyBrief[]; caseId: string; onClose: () => void }) {
  const nodes = useNodes();
  const usable = (nodes.data ?? []).filter((one) => one.is_sent_to && one.organization_id === organizationId);
  const [chosen, setChosen] = useState<string | null>(null);
  const [study, setStudy] = useState<string | null>(studies[0]?.id ?? null);
  const node = chosen ?? usable[0]?.id ?? null;
  return (
    <ConfirmDialog
      opened
      title="Send study"
      confirm="Send"
      ready={node !== null && study !== null}
      onClose={onClose}
      onConfirm={async () => {
        const made = await api.post<{ id: string }>("/api/transfers/send", { node_id: node, study_id: study, case_id: caseId });
        onClose();
        tell("The study is on its way", made.id);
      }}
    >
      {nodes.isError ? (
        <ErrorState error={nodes.error} retry={() => void nodes.refetch()} />
      ) : !nodes.data ? (
        <SkeletonRows rows={2} />
      ) : usable.length === 0 ? (
        <Empty title="No node to send to" icon="handback">
          {NONE}
        </Empty>
      ) : (
        <div className="tr-f">
          <div>
            <Select
              label="Study"
              data={studies.map((one) => ({ value: one.id, label: `${one.description ?? "Study"}, ${one.modalities.join(" ")}, ${one.number_of_instances} objects` }))}
              value={study}
              allowDeselect={false}
              required
              onChange={setStudy}
            />
          </div>
          <div>
            <NodeSelect label="To" nodes={usable} value={node} onChange={setChosen} />
          </div>
        </div>
      )}
    </ConfirmDialog>
  );
}

/** Asks a node for what somebody has the number of. */
export function FetchByNumberDialog({ onClose }: { onClose: () => void }) {
  const nodes = useNodes();
  const usable = (nodes.data ?? []).filter((one) => one.is_queried && one.facility_id !== null);
  const [chosen, setChosen] = useState<string | null>(null);
  const [number, setNumber] = useState("");
  const node = chosen ?? usable[0]?.id ?? null;
  const typed = number.trim();
  const isUid = /^\d+(\.\d+){3,}$/.test(typed);
  const wrong = /[*?\\]/.test(typed) ? "A whole number, without * or ?" : typed.length > 64 ? "At most 64 characters" : null;
  return (
    <ConfirmDialog
      opened
      title="Fetch a study"
      confirm="Fetch"
      ready={node !== null && typed !== "" && wrong === null}
      onClose={onClose}
      onConfirm={async () => {
        const made = await api.post<{ id: string }>("/api/transfers/fetch", { node_id: node, ...(isUid ? { study_instance_uid: typed } : { accession_number: typed }) });
        onClose();
        tell("The study is asked for", made.id);
      }}
    >
      {nodes.isError ? (
        <ErrorState error={nodes.error} retry={() => void nodes.refetch()} />
      ) : !nodes.data ? (
        <SkeletonRows rows={2} />
      ) : usable.length === 0 ? (
        <Empty title="No archive to fetch from" icon="handback">
          {NONE}
        </Empty>
      ) : (
        <div className="tr-f">
          <div>
            <NodeSelect label="From" nodes={usable} value={node} onChange={setChosen} />
          </div>
          <div>
            <TextInput label="Accession number or Study Instance UID" description="It comes as a prior: it needs no order and makes no case" inputWrapperOrder={["label", "input", "description", "error"]} autoComplete="off" required value={number} error={wrong} onChange={(event) => setNumber(event.currentTarget.value)} />
          </div>
        </div>
      )}
    </ConfirmDialog>
  );
}
