import { Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type SyntheticEvent, useRef, useState } from "react";
import { Link } from "react-router";
import { api, queryClient, url } from "../../api/client";
import type { Banner, OrderBrief, SiteFacility, SiteRow, Version } from "../../api/types";
import { Button, dayClock, Dialog, Empty, ErrorState, Facts, Icon, IconButton, near, patientName, PatientLine, PriorityMark, ReasonDialog, ReportText, SkeletonText, toast, useKeys, useNow } from "../../kit";
import { MatchDialog } from "../board/MatchDialog";
import { expectedCount, isOrderOnly } from "./words";

export interface RowPanelProps {
  row: SiteRow | undefined;
  facility: SiteFacility | undefined;
  onAttach: (files: File[]) => void;
}

/** The chosen line: its report with one large button, or what it waits for and what the site can do. */
export function RowPanel({ row, facility, onAttach }: RowPanelProps) {
  if (!row || !facility) {
    return (
      <section className="panel rp clip" aria-label="Report">
        <Empty title="Choose a line" icon="document">
          Its report stands here as soon as it is signed, to be confirmed with A, printed, or opened as PDF. Until then: what it waits for.
        </Empty>
      </section>
    );
  }
  return (
    <section className="panel rp clip" aria-label={row.version ? "Report" : "State"}>
      <div className="rh">
        <div className="row sp">
          <div className="rn">{row.patient ? patientName(row.patient) : "Patient not known yet"}</div>
          <PriorityMark priority={row.priority} withLabel />
        </div>
        {row.patient && <Identity patient={row.patient} zone={facility.time_zone} />}
      </div>
      {row.version ? <Report row={row} versionId={row.version.id} facility={facility} onAttach={onAttach} /> : <Waiting row={row} facility={facility} onAttach={onAttach} />}
    </section>
  );
}

function Identity({ patient, zone }: { patient: Banner; zone: string }) {
  const now = useNow();
  return <PatientLine patient={patient} at={now} zone={zone} />;
}

function Report({ row, versionId, facility, onAttach }: { row: SiteRow; versionId: string; facility: SiteFacility; onAttach: (files: File[]) => void }) {
  const now = useNow();
  const [busy, setBusy] = useState(false);
  const report = useQuery({ queryKey: ["report", versionId], queryFn: ({ signal }) => api.get<Version>(url`/api/reports/${versionId}`, signal), staleTime: Infinity });
  const seen = row.acknowledged_at;
  const acknowledge = async () => {
    if (seen || busy || !report.data) return;
    setBusy(true);
    try {
      await api.post(url`/api/reports/${versionId}/acknowledge`);
      toast({ tone: "done", text: "Confirmed: the reading desk knows that you have seen it" });
      await queryClient.invalidateQueries({ queryKey: ["site"] });
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "Not confirmed. Try again." });
    } finally {
      setBusy(false);
    }
  };
  const print = () => window.print();
  useKeys("Site", [
    { id: "site.acknowledge", keys: ["a"], label: "Acknowledge the report", when: () => !seen && report.data !== undefined, run: () => void acknowledge() },
    { id: "site.print", keys: ["p"], label: "Print the report", when: () => report.data !== undefined, run: print },
  ]);
  return (
    <>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard */}
      <div className="scroll rt" tabIndex={0} role="region" aria-label="Report">
        {report.isError ? (
          <ErrorState error={report.error} retry={() => void report.refetch()} />
        ) : report.data ? (
          <>
            {report.data.accession.length > 0 && <div className="q num sm rt-acc">Accession {report.data.accession.join(", ")}</div>}
            <ReportText version={report.data} zone={facility.time_zone} exam={row.exam} />
          </>
        ) : (
          <SkeletonText lines={9} />
        )}
        <div className="no-print">{row.order_id && <Order orderId={row.order_id} facility={facility} row={row} onAttach={onAttach} />}</div>
      </div>
      <div className="ra">
        {seen ? (
          <span className="row grow q">
            <span className="green">
              <Icon name="check" />
            </span>
            <span>
              Seen <span className="num">{near(seen, facility.time_zone, now)}</span>
            </span>
          </span>
        ) : (
          <Button look="primary" size="lg" className="grow" keyHint="a" busy={busy} disabled={!report.data} onClick={() => void acknowledge()}>
            Acknowledge report
          </Button>
        )}
        <a className="btn btn-lg" href={url`/api/reports/${versionId}/pdf`} target="_blank" rel="noopener">
          <Icon name="document" />
          PDF
        </a>
        <IconButton className="btn-lg sq" look="default" icon="print" label="Print" keyHint="p" disabled={!report.data} onClick={print} />
        {row.case_id && (
          <Link className="btn btn-lg btn-i sq" to={`/case/${row.case_id}`} title="Timeline of the case" aria-label="Timeline of the case">
            <Icon name="timeline" />
          </Link>
        )}
      </div>
    </>
  );
}

function Waiting({ row, facility, onAttach }: { row: SiteRow; facility: SiteFacility; onAttach: (files: File[]) => void }) {
  const [busy, setBusy] = useState(false);
  const [matching, setMatching] = useState(false);
  const unmatched = row.study_id !== null && row.order_id === null && row.steps.attention;
  const canComplete = row.study_id !== null && row.steps.current === 1 && !unmatched;
  const complete = async () => {
    if (!row.study_id) return;
    setBusy(true);
    try {
      await api.post(url`/api/studies/${row.study_id}/complete`);
      toast({ tone: "done", text: "Complete: it goes to its reader" });
      await queryClient.invalidateQueries({ queryKey: ["site"] });
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "Not marked as complete" });
    } finally {
      setBusy(false);
    }
  };
  useKeys("Site", [{ id: "site.complete", keys: ["e"], label: "All images are sent", when: () => canComplete, run: () => void complete() }]);
  return (
    <>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard */}
      <div className="scroll rt" tabIndex={0} role="region" aria-label="State">
        <b className="ex">{row.exam}</b>
        <ol className="way">
          {row.steps.names.map((name, index) => (
            <li key={name} className={index < row.steps.current ? "done" : index === row.steps.current ? (row.steps.attention ? "now am" : "now") : undefined} aria-current={index === row.steps.current ? "step" : undefined}>
              <i />
              <span>
                {name}
                {index === row.steps.current && <span className="q"> {row.what_happens}</span>}
              </span>
            </li>
          ))}
        </ol>
        {row.due_at && row.steps.current < 4 && (
          <p className="q num">
            The report is promised for {dayClock(row.due_at, facility.time_zone)} {facility.short_name}.
          </p>
        )}
        {canComplete && row.study_id && <Expect key={row.study_id} studyId={row.study_id} />}
        {row.order_id && <Order orderId={row.order_id} facility={facility} row={row} onAttach={onAttach} />}
      </div>
      <div className="ra">
        {canComplete && (
          <Button look="primary" size="lg" className="grow" keyHint="e" busy={busy} onClick={() => void complete()}>
            All images are sent
          </Button>
        )}
        {unmatched && (
          <Button look="primary" size="lg" className="grow" onClick={() => setMatching(true)}>
            {row.is_held ? "Look and release" : "Match to its order"}
          </Button>
        )}
        {!canComplete && !unmatched && <span className="grow q">{isOrderOnly(row) ? "Send its images, and it goes on by itself." : "Nothing to do for you."}</span>}
        {row.case_id && (
          <Link className="btn btn-lg btn-i sq" to={`/case/${row.case_id}`} title="Timeline of the case" aria-label="Timeline of the case">
            <Icon name="timeline" />
          </Link>
        )}
      </div>
      {matching && row.study_id && <MatchDialog studyId={row.study_id} held={row.is_held} site={{ zone: facility.time_zone, label: facility.short_name }} why={row.what_happens} onClose={() => setMatching(false)} />}
    </>
  );
}

/** The technologist knows how many images there will be: with the last of them the study is complete, without waiting. */
function Expect({ studyId }: { studyId: string }) {
  const [number, setNumber] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const expect = async (event: SyntheticEvent) => {
    event.preventDefault();
    const instances = expectedCount(number);
    if (instances === null) return setProblem("A whole number, 1 to 100,000");
    setBusy(true);
    setProblem(null);
    try {
      await api.post(url`/api/studies/${studyId}/expect`, { instances });
      toast({ tone: "done", text: `Complete as soon as ${instances === 1 ? "1 image is" : `${instances} images are`} here` });
      setNumber("");
      await queryClient.invalidateQueries({ queryKey: ["site"] });
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "Not noted. Try again.");
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="expect" onSubmit={(event) => void expect(event)} noValidate>
      <TextInput label="Images that will come in all" inputMode="numeric" autoComplete="off" value={number} error={problem} onChange={(event) => setNumber(event.currentTarget.value)} />
      <Button type="submit" busy={busy} disabled={!number.trim()}>
        Expect them
      </Button>
    </form>
  );
}

const SOURCE: Record<string, string> = { hl7: "came by HL7", manual: "entered by hand" };

/** The order: asked for only when the person wants to see it, since seeing it is recorded. */
function Order({ orderId, facility, row, onAttach }: { orderId: string; facility: SiteFacility; row: SiteRow; onAttach: (files: File[]) => void }) {
  const now = useNow();
  const [open, setOpen] = useState(isOrderOnly(row));
  const [cancelling, setCancelling] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const order = useQuery({ queryKey: ["order", orderId], queryFn: ({ signal }) => api.get<OrderBrief>(url`/api/orders/${orderId}`, signal), enabled: open, meta: { topics: ["order"], only: orderId } });
  return (
    <details className="ord" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Order and documents</summary>
      {order.isError ? (
        <ErrorState error={order.error} retry={() => void order.refetch()} />
      ) : order.data ? (
        <>
          <Facts
            facts={[
              ["Examination", order.data.procedures.map((procedure) => procedure.description).join(" + ")],
              ["Question", order.data.indication ?? "nothing written"],
              ["Referrer", [order.data.referrer_name, order.data.referrer_phone].filter(Boolean).join(", ") || "not named"],
              ["Accession", order.data.accession ?? "none"],
              ["Came", `${near(order.data.received_at, facility.time_zone, now)}, ${SOURCE[order.data.source] ?? order.data.source}`],
              [
                "Documents",
                order.data.documents.length ? (
                  <ul>
                    {order.data.documents.map((document) => (
                      <li key={document.id}>
                        <a href={url`/api/orders/${orderId}/documents/${document.id}`} target="_blank" rel="noopener">
                          {document.name}
                        </a>{" "}
                        <span className="q">{document.kind}</span>
                      </li>
                    ))}
                  </ul>
                ) : (
                  "none"
                ),
              ],
            ]}
          />
          <div className="row" style={{ marginTop: 10 }}>
            <Button size="sm" icon="document" onClick={() => input.current?.click()}>
              Attach a document
            </Button>
            {row.steps.current < 4 && order.data.status !== "cancelled" && (
              <Button size="sm" look="danger" onClick={() => setCancelling(true)}>
                Cancel the order
              </Button>
            )}
            <input
              ref={input}
              type="file"
              hidden
              multiple
              accept=".pdf,.png,.jpg,.jpeg"
              aria-label="Documents to attach"
              onChange={(event) => {
                const files = Array.from(event.currentTarget.files ?? []);
                event.currentTarget.value = "";
                if (files.length) onAttach(files);
              }}
            />
          </div>
        </>
      ) : (
        open && <SkeletonText lines={4} />
      )}
      {cancelling && (
        <ReasonDialog
          title="Cancel the order"
          confirm="Cancel the order"
          danger
          usual={["Ordered twice", "Wrong patient", "Examination not done"]}
          onClose={() => setCancelling(false)}
          onReason={async (reason) => {
            await api.post(url`/api/orders/${orderId}/cancel`, { reason });
            setCancelling(false);
            toast({ tone: "done", text: "The order is cancelled" });
            void queryClient.invalidateQueries({ queryKey: ["site"] });
            void queryClient.invalidateQueries({ queryKey: ["order", orderId] });
          }}
        >
          <p>
            <b>{row.patient ? patientName(row.patient) : row.exam}</b>, {row.exam}. Nobody reads it after this, and it can&rsquo;t be taken back: a new order is needed.
          </p>
        </ReasonDialog>
      )}
    </details>
  );
}

const KINDS = [
  { value: "requisition", label: "Requisition" },
  { value: "worksheet", label: "Worksheet" },
  { value: "other", label: "Other" },
];

/** Whose order the documents go to is said once more before they go. */
export function AttachDialog({ files, orderId, about, onClose }: { files: readonly File[]; orderId: string; about: string; onClose: () => void }) {
  const [kind, setKind] = useState("requisition");
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<[string, string][]>([]);
  const go = async () => {
    setBusy(true);
    const refused: [string, string][] = [];
    for (const file of files) {
      const body = new FormData();
      body.set("file", file);
      body.set("kind", kind);
      try {
        await api.upload(url`/api/orders/${orderId}/documents`, body);
      } catch (error) {
        refused.push([file.name, error instanceof Error ? error.message : "not attached"]);
      }
    }
    setBusy(false);
    void queryClient.invalidateQueries({ queryKey: ["order", orderId] });
    if (refused.length) setFailed(refused);
    else {
      toast({ tone: "done", text: files.length === 1 ? "Attached" : `${files.length} documents attached` });
      onClose();
    }
  };
  return (
    <Dialog
      opened
      title="Attach documents"
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{failed.length ? "Close" : "Back"}</Button>
          {failed.length === 0 && (
            <Button look="primary" busy={busy} onClick={() => void go()}>
              Attach
            </Button>
          )}
        </>
      }
    >
      <p style={{ marginBottom: 10 }}>
        To the order of <b>{about}</b>:
      </p>
      <ul style={{ marginBottom: 12 }}>
        {files.map((file) => (
          <li key={file.name + file.size} className="row">
            <Icon name="document" size={14} />
            {file.name}
            <span className="q num">{Math.max(1, Math.round(file.size / 1024))} kB</span>
          </li>
        ))}
      </ul>
      <Select label="Kind" data={KINDS} value={kind} allowDeselect={false} onChange={(value) => value && setKind(value)} />
      {failed.map(([name, why]) => (
        <p className="red" role="alert" key={name} style={{ marginTop: 8 }}>
          {name}: {why}
        </p>
      ))}
    </Dialog>
  );
}
