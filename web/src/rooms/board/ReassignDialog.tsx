import { Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, queryClient, url } from "../../api/client";
import type { CaseReaders, ReaderVerdict } from "../../api/types";
import { Avatar, ConfirmDialog, ErrorState, Icon, LoadMeter, SkeletonRows, toast, UsualReasons, VERDICT_RULES, verdictsOf } from "../../kit";

export interface ReassignProps {
  caseId: string;
  readId: string;
  /** "HAUGLAND, Ingrid Marie, CT head" */
  about: string;
  reader: string | null;
  onClose: () => void;
}

const ANYONE = "anyone";

/** Gives a read to another reader: the eligible first, for each other one the rule that excludes. Hard rules hold here too. */
export function ReassignDialog({ caseId, readId, about, reader, onClose }: ReassignProps) {
  const [chosen, setChosen] = useState<string | null>(null);
  const [reason, setReason] = useState("");
  const found = useQuery({
    queryKey: ["readers", caseId, "now"],
    queryFn: ({ signal }) => api.get<CaseReaders>(`${url`/api/cases/${caseId}/readers`}?at=now`, signal),
    staleTime: 0,
  });
  const all = [...(found.data?.readers ?? [])].sort((a, b) => Number(b.eligible) - Number(a.eligible) || a.open / a.capacity - b.open / b.capacity || a.name.localeCompare(b.name));
  const eligible = all.filter((one) => one.eligible && !one.is_assigned);
  const name = chosen === ANYONE ? "whom the rules choose" : all.find((one) => one.reader_id === chosen)?.name;
  const give = async () => {
    await api.post(url`/api/reads/${readId}/assign`, { reader_id: chosen === ANYONE ? null : chosen, reason: reason.trim() });
    toast({ tone: "done", text: chosen === ANYONE ? "Given on by the rules" : `Given to ${name}` });
    void queryClient.invalidateQueries({ predicate: (query) => query.meta?.topics?.includes("case") ?? false });
    onClose();
  };
  return (
    <ConfirmDialog opened title={reader ? "Give to another reader" : "Find a reader"} width={980} confirm={name && chosen !== ANYONE ? `Give to ${name}` : "Give"} ready={chosen !== null && reason.trim().length > 2} onClose={onClose} onConfirm={give}>
      <p style={{ marginBottom: 10 }}>
        <b>{about}</b>
        <span className="q"> {reader ? `is with ${reader}` : "has no reader"}. The rules ran a moment ago.</span>
      </p>
      {found.isPending ? (
        <SkeletonRows rows={6} />
      ) : found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : (
        <div className="pick scroll" role="radiogroup" aria-label="Reader">
          <table className="matrix" aria-label="Who may read it now">
            <thead>
              <tr>
                <th style={{ width: 34 }} aria-label="Choose" />
                <th style={{ width: 178 }}>Reader</th>
                <th style={{ width: 70 }}>Hub</th>
                <th style={{ width: 128 }}>Load</th>
                {VERDICT_RULES.map((rule) => (
                  <th key={rule.id} className="c narrow8" style={{ width: 30 }} title={rule.label}>
                    {rule.label.slice(0, 2)}
                  </th>
                ))}
                <th>
                  <span style={{ paddingLeft: 8 }}>Why</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {eligible.length > 1 && (
                <tr className={chosen === ANYONE ? "sel" : undefined} onClick={() => setChosen(ANYONE)}>
                  <td>
                    <input type="radio" name="reader" className="tick rd" checked={chosen === ANYONE} onChange={() => setChosen(ANYONE)} aria-label="Whom the rules choose" />
                  </td>
                  <td className="m" colSpan={VERDICT_RULES.length + 3}>
                    Whom the rules choose
                  </td>
                  <td>
                    <span className="wy q">The least loaded of the {eligible.length} who may</span>
                  </td>
                </tr>
              )}
              {all.map((one) => (
                <Row key={one.reader_id} one={one} chosen={chosen === one.reader_id} onChoose={() => setChosen(one.reader_id)} />
              ))}
            </tbody>
          </table>
          {all.length === 0 && <p className="quiet-line">No reader is engaged by a group that reads for this client.</p>}
        </div>
      )}
      {found.data && eligible.length === 0 && (
        <p className="q sm" style={{ marginTop: 8 }}>
          Nobody else may read it now. What would help: a shift, a privilege at the site, or a place to read from that the client allows. A hard rule can&rsquo;t be passed by.
        </p>
      )}
      <Textarea label="Reason, kept in the record" mt={12} value={reason} onChange={(event) => setReason(event.currentTarget.value)} maxLength={500} />
      <UsualReasons reasons={["Deadline is near", "Reader asked for it", "Reader is ill", "Better suited reader came on"]} onTake={setReason} />
    </ConfirmDialog>
  );
}

function Row({ one, chosen, onChoose }: { one: ReaderVerdict; chosen: boolean; onChoose: () => void }) {
  const verdicts = verdictsOf(one.checks);
  const may = one.eligible && !one.is_assigned;
  return (
    <tr className={chosen ? "sel" : may ? undefined : "away"} onClick={may ? onChoose : undefined}>
      <td>{may && <input type="radio" name="reader" className="tick rd" checked={chosen} onChange={onChoose} aria-label={one.name} />}</td>
      <td>
        <span className="row">
          <Avatar name={one.name} small />
          <span className={may ? "m" : undefined}>{one.name.replace(/^Dr\.?\s+/, "")}</span>
        </span>
      </td>
      <td className="q">{one.hub}</td>
      <td className="num q">
        <LoadMeter taken={one.open} places={Math.min(one.capacity, 8)} /> {one.open}/{one.capacity}
      </td>
      {VERDICT_RULES.map((rule) => {
        const verdict = verdicts[rule.id];
        return (
          <td key={rule.id} className="c narrow8">
            {verdict ? (
              <span className={`ck${verdict === "fail" ? " no" : verdict === "unknown" ? " un" : ""}`} role="img" aria-label={`${rule.label} ${verdict}`} title={`${rule.label}: ${one.checks.find((check) => check.rule === rule.id && check.outcome === verdict)?.text ?? verdict}`}>
                <Icon name={verdict === "pass" ? "check" : verdict === "fail" ? "cross" : "ask"} size={13} />
              </span>
            ) : (
              <span className="f">·</span>
            )}
          </td>
        );
      })}
      <td>
        <span className="wy q">{one.is_assigned ? `Has it now. ${one.why}` : one.why}</span>
      </td>
    </tr>
  );
}
