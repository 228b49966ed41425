import { Select, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, queryClient, url } from "../../api/client";
import type { HeldReport } from "../../api/types";
import { Button, ConfirmDialog, ErrorState, MINUTE, near, Panel, plainDate, type Place, toast, useNow } from "../../kit";

/** Reports that sites sent and that fit no order for certain: a person says what each belongs to. Nothing is shown while none waits. */
export function HeldReportsPanel({ place }: { place: Place }) {
  const now = useNow(MINUTE);
  const [filing, setFiling] = useState<HeldReport | null>(null);
  const found = useQuery({ queryKey: ["site-reports", "held"], queryFn: ({ signal }) => api.get<HeldReport[]>("/api/site-reports/held", signal), meta: { topics: ["alarm"] }, refetchInterval: MINUTE });
  const held = found.data ?? [];
  if (held.length === 0 && !found.isError) return null;
  return (
    <Panel className="clip" title="Reports of sites that wait" count={held.length} sub="what they belong to is not certain">
      {found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : (
        <ul className="pa-l scroll" aria-label="Reports that wait">
          {held.map((report) => (
            <li key={report.id}>
              <span className="grow">
                <span>
                  <Link to={`/patients/${report.patient_id}`}>{report.patient_name || "No name"}</Link> <span className="q">{report.description}</span>
                </span>
                <span className="q sm">
                  {report.reason} {report.facility}, <span className="num">{near(report.received_at, place.zone, now)}</span>
                </span>
              </span>
              <Button size="sm" aria-label={`File the report of ${report.patient_name}`} onClick={() => setFiling(report)}>
                File
              </Button>
            </li>
          ))}
        </ul>
      )}
      {filing && <FileDialog report={filing} onClose={() => setFiling(null)} />}
    </Panel>
  );
}

const PRIOR = "prior";

function FileDialog({ report, onClose }: { report: HeldReport; onClose: () => void }) {
  const [choice, setChoice] = useState<string | null>(null);
  const [reason, setReason] = useState("");
  return (
    <ConfirmDialog
      opened
      title="What does this report belong to?"
      confirm="File it"
      ready={choice !== null && reason.trim().length > 2}
      onClose={onClose}
      onConfirm={async () => {
        await api.post(url`/api/site-reports/${report.id}/file`, { order_id: choice === PRIOR ? null : choice, reason: reason.trim() });
        toast({ tone: "done", text: choice === PRIOR ? "Filed as a prior report" : "Filed under the order" });
        void queryClient.invalidateQueries({ queryKey: ["site-reports"] });
        onClose();
      }}
      width={520}
    >
      <p>
        <b>{report.patient_name || "No name"}</b>
        {report.birth_date && <span className="num">, born {plainDate(report.birth_date)}</span>}: {report.description}
        {report.accession && `, accession ${report.accession}`}
        {report.filler_number && `, filler number ${report.filler_number}`}
      </p>
      <p className="amber" style={{ marginTop: 6 }}>
        {report.reason}
      </p>
      <Select
        label="It is the report of"
        placeholder="Choose an order of this patient, or none"
        value={choice}
        onChange={setChoice}
        data={[...report.orders.map((order) => ({ value: order.id, label: `${order.description}${order.accession ? `, ${order.accession}` : ""}` })), { value: PRIOR, label: "No order here: a prior report of the patient" }]}
        mt={12}
        data-autofocus
      />
      <Textarea label="Reason, kept in the record" value={reason} onChange={(event) => setReason(event.currentTarget.value)} maxLength={500} mt={10} />
    </ConfirmDialog>
  );
}
