import { SegmentedControl, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, queryClient, url } from "../../api/client";
import type { CaseSiteReports, Discrepancy, SiteReport, SiteReportVersion } from "../../api/types";
import { Button, Chip, ConfirmDialog, dayClock, Empty, ErrorState, Icon, Note, type Place, SkeletonText, toast } from "../../kit";
import { OUTCOMES, SITE_STATUS, siteReportTone } from "./siteReports";
import "../../kit/report.css";
import "./site-reports.css";

/** What sites reported of the case's orders and of the patient before. That it was seen is recorded, so it is asked for when it is opened. */
export function useSiteReports(caseId: string) {
  return useQuery({ queryKey: ["site-reports", caseId], queryFn: ({ signal }) => api.get<CaseSiteReports>(url`/api/cases/${caseId}/site-reports`, signal), meta: { topics: ["case"] } });
}

/** The site's own reports beside ours: where they differ first, then what each says, then prior reports of the patient. */
export function SiteReports({ caseId, place }: { caseId: string; place: Place }) {
  const found = useSiteReports(caseId);
  if (found.isError) return <ErrorState error={found.error} retry={() => void found.refetch()} />;
  if (!found.data) return <SkeletonText lines={6} />;
  const { own, priors, discrepancies, may_close } = found.data;
  if (own.length + priors.length === 0)
    return (
      <Empty title="The site reported nothing" icon="document">
        A report that the site’s own readers write of this examination stands here beside ours, and so do prior reports that the site sends.
      </Empty>
    );
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard
    <div className="scroll sir" tabIndex={0} role="region" aria-label="Reports of the site">
      {discrepancies.map((one) => (
        <Differs key={one.id} one={one} place={place} mayClose={may_close} />
      ))}
      {own.map((report) => (
        <Told key={report.id} report={report} place={place} />
      ))}
      {priors.length > 0 && <h2 className="caps sir-h">Prior reports</h2>}
      {priors.map((report) => (
        <Told key={report.id} report={report} place={place} />
      ))}
    </div>
  );
}

/** Both texts side by side; a coordinator says what it means. */
function Differs({ one, place, mayClose }: { one: Discrepancy; place: Place; mayClose: boolean }) {
  const [closing, setClosing] = useState(false);
  const open = one.closed_at === null;
  return (
    <section className="sir-d" aria-label={open ? "Open discrepancy" : "Closed discrepancy"}>
      <div className="row sp">
        <Chip tone={open ? (one.side_differs ? "red" : "amber") : "outline"}>{one.kind === "withdrawn" ? "the site withdrew its report" : one.side_differs ? "the other side" : "the site concludes otherwise"}</Chip>
        {open ? (
          mayClose && (
            <Button size="sm" onClick={() => setClosing(true)}>
              Close
            </Button>
          )
        ) : (
          <span className="q sm">
            {one.outcome ? OUTCOMES[one.outcome] : ""}, <span className="num">{dayClock(one.closed_at ?? "", place.zone)}</span>
            {one.note && `: ${one.note}`}
          </span>
        )}
      </div>
      <div className="sir-two">
        <article>
          <h3 className="caps">Ours, version {one.ours_number}</h3>
          <p>{one.ours}</p>
          <footer className="q sm">
            {one.ours_signer}, <span className="num">{dayClock(one.ours_signed_at, place.zone)}</span>
          </footer>
        </article>
        <article>
          <h3 className="caps">The site’s</h3>
          <p>{one.kind === "withdrawn" ? "Withdrawn: the site says that its report was wrong." : one.theirs}</p>
          <footer className="q sm">
            {one.theirs_author ?? "no author named"}
            {one.theirs_at && (
              <>
                , <span className="num">{dayClock(one.theirs_at, place.zone)}</span>
              </>
            )}
          </footer>
        </article>
      </div>
      {closing && <CloseDialog one={one} onClose={() => setClosing(false)} />}
    </section>
  );
}

function CloseDialog({ one, onClose }: { one: Discrepancy; onClose: () => void }) {
  const [outcome, setOutcome] = useState<"agrees" | "minor" | "major">("agrees");
  const [note, setNote] = useState("");
  return (
    <ConfirmDialog
      opened
      title="What does it come to?"
      confirm="Close"
      ready={outcome === "agrees" || note.trim().length > 2}
      onClose={onClose}
      onConfirm={async () => {
        await api.post(url`/api/discrepancies/${one.id}/close`, { outcome, note: note.trim() });
        toast({ tone: "done", text: "Closed" });
        void queryClient.invalidateQueries({ predicate: (query) => query.meta?.topics?.includes("case") ?? false });
        onClose();
      }}
      width={480}
    >
      <SegmentedControl fullWidth aria-label="Outcome" value={outcome} onChange={(value) => setOutcome(value as typeof outcome)} data={(["agrees", "minor", "major"] as const).map((value) => ({ value, label: OUTCOMES[value] }))} />
      <Textarea label={outcome === "agrees" ? "Note, if any; kept in the record" : "What differs and what was done; kept in the record"} value={note} onChange={(event) => setNote(event.currentTarget.value)} maxLength={2000} autosize minRows={2} mt={12} data-autofocus />
      {outcome === "major" && (
        <div style={{ marginTop: 10 }}>
          <Note tone="amber">If our report is wrong, have an addendum made or withdraw it: closing this changes no report.</Note>
        </div>
      )}
    </ConfirmDialog>
  );
}

/** One report of the site as it stands now, with its history; each earlier version is asked for when it is opened. */
export function Told({ report, place }: { report: SiteReport; place: Place }) {
  const [earlier, setEarlier] = useState<string | null>(null);
  return (
    <article className="rtext sir-r" aria-label={report.description}>
      <header className="row">
        <b>{report.description}</b>
        <Chip tone={siteReportTone(report)}>{report.is_withdrawn ? "withdrawn by the site" : report.base ? SITE_STATUS[report.base.status] : "addendum alone"}</Chip>
        {report.is_critical && (
          <Chip tone="red" title="The site marked an observation as critically abnormal (AA)">
            marked critical
          </Chip>
        )}
        <span className="q sm">
          {report.facility}
          {report.accession && `, ${report.accession}`}
        </span>
      </header>
      {report.is_withdrawn && <Note tone="amber">The site withdrew this report{report.withdrawn_at && `, ${dayClock(report.withdrawn_at, place.zone)}`}. It is kept, and not to be used.</Note>}
      {[...(report.base ? [report.base] : []), ...report.additions].map((part) => (
        <Words key={part.id} part={part} place={place} added={part.status === "appended"} />
      ))}
      {report.attachments.length > 0 && (
        <ul className="ul sir-f" aria-label="Documents">
          {report.attachments.map((file) => (
            <li key={file.id}>
              <a href={url`/api/site-reports/${file.report_id}/attachments/${file.id}`} download={file.name}>
                <Icon name="document" size={13} /> {file.name}
              </a>{" "}
              <span className="q sm num">{Math.max(1, Math.round(file.length / 1024))} kB</span>
            </li>
          ))}
        </ul>
      )}
      {report.versions.length > 1 && (
        <div className="row sir-v" role="group" aria-label="Versions">
          <span className="q sm">History</span>
          {report.versions.map((version) => (
            <button type="button" key={version.id} className={`btn btn-q btn-sm${earlier === version.id ? " on" : ""}`} aria-pressed={earlier === version.id} onClick={() => setEarlier(earlier === version.id ? null : version.id)}>
              {SITE_STATUS[version.status]} <span className="num">{dayClock(version.reported_at ?? version.received_at, place.zone)}</span>
              {version.stands && " ·"}
            </button>
          ))}
        </div>
      )}
      {earlier && <Earlier id={earlier} place={place} />}
    </article>
  );
}

function Words({ part, place, added }: { part: SiteReportVersion; place: Place; added: boolean }) {
  return (
    <>
      <div className="q sm sir-by">
        {added ? "Added" : "Reported"} <span className="num">{dayClock(part.reported_at ?? part.received_at, place.zone)}</span>
        {part.author && `, ${part.author}`}
      </div>
      {part.sections.map((section) => (
        <section key={section.id}>
          <h3>{section.title}</h3>
          <p>{section.text}</p>
        </section>
      ))}
    </>
  );
}

function Earlier({ id, place }: { id: string; place: Place }) {
  const found = useQuery({ queryKey: ["site-report", id], queryFn: ({ signal }) => api.get<SiteReportVersion>(url`/api/site-reports/${id}`, signal), staleTime: Number.POSITIVE_INFINITY });
  return (
    <div className="sir-e">
      {found.isError ? <ErrorState error={found.error} retry={() => void found.refetch()} /> : found.data ? found.data.sections.length > 0 ? <Words part={found.data} place={place} added={false} /> : <p className="q sm">Its text is hidden, since the site withdrew the report; coordinators and auditors see it.</p> : <SkeletonText lines={3} />}
    </div>
  );
}
