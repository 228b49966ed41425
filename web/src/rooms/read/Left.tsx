import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { ViewerSeries } from "../../../viewer/protocol";
import { api, url } from "../../api/client";
import { type SeriesBrief, thumbnailUrl, useSeries } from "../../api/dicomweb";
import type { CaseDetail, PriorBrief, Version, Workspace } from "../../api/types";
import { ErrorState, Icon, IconButton, plainDate, ReportText, SkeletonText } from "../../kit";
import { SiteReportList } from "./SiteReports";
import { send, useViewer } from "./viewer/store";

/** Left of the images: this exam's series with how much of each was scrolled, then priors and their reports. */
export function Left({ detail, viewer, loadedPriors, onPrior }: { detail: CaseDetail; viewer: Workspace["viewer"]; loadedPriors: readonly string[]; onPrior: (uid: string) => void }) {
  const [report, setReport] = useState<PriorBrief | null>(null);
  const { series } = useViewer();
  const current = series.filter((one) => !one.prior);
  const seen = current.reduce((sum, one) => sum + one.seen, 0);
  const all = current.reduce((sum, one) => sum + one.slices, 0);
  return (
    <aside className="left" aria-label="Series and priors">
      <div className="ph">
        <h2>Series</h2>
        {current.length > 0 && <span className="cnt">{current.length}</span>}
        {all > 0 && <span className="end q mi num">{Math.floor((seen / all) * 100)} % seen</span>}
      </div>
      <ul className="scroll sers">
        {viewer.study_instance_uids.map((uid) => (
          <StudySeries key={uid} slug={viewer.organization_slug} studyUid={uid} />
        ))}
      </ul>
      <div className="ph" style={{ borderTop: "1px solid var(--line)" }}>
        <h2>Priors</h2>
        <span className="cnt">{detail.priors.length || ""}</span>
      </div>
      {detail.priors.length === 0 ? (
        <p className="q sm none">No earlier study of this patient is here.</p>
      ) : (
        <ul className="scroll sers prs">
          {detail.priors.map((prior) => (
            <Prior key={prior.study_id} prior={prior} slug={viewer.organization_slug} loaded={loadedPriors.includes(prior.study_instance_uid)} reading={report?.study_id === prior.study_id} onShow={() => onPrior(prior.study_instance_uid)} onReport={() => setReport(prior)} />
          ))}
        </ul>
      )}
      <SiteReportList caseId={detail.id} zone={detail.facility.time_zone} />
      <Documents orders={detail.orders} />
      {report && <PriorReport prior={report} zone={detail.facility.time_zone} onClose={() => setReport(null)} />}
    </aside>
  );
}

/** Requisitions and worksheets of the order: read beside the images. */
function Documents({ orders }: { orders: CaseDetail["orders"] }) {
  const all = orders.flatMap((order) => order.documents.map((document) => ({ ...document, href: url`/api/orders/${order.id}/documents/${document.id}` })));
  if (all.length === 0) return null;
  return (
    <>
      <div className="ph" style={{ borderTop: "1px solid var(--line)" }}>
        <h2>Documents</h2>
        <span className="cnt">{all.length}</span>
      </div>
      <div className="scroll docs">
        {all.map((document) => (
          <a key={document.id} href={document.href} target="_blank" rel="noreferrer" title={document.name}>
            {document.name} <span className="q">{document.kind}</span>
          </a>
        ))}
      </div>
    </>
  );
}

function StudySeries({ slug, studyUid }: { slug: string; studyUid: string }) {
  const asked = useSeries(slug, studyUid);
  const { series, shownSeries } = useViewer();
  if (asked.isError) return <li className="q sm none">The archive did not show the series list. The viewer goes on trying.</li>;
  return (asked.data ?? []).map((one) => <Series key={one.uid} slug={slug} studyUid={studyUid} brief={one} live={series.find((known) => known.uid === one.uid)} on={shownSeries.includes(one.uid)} />);
}

function Series({ slug, studyUid, brief, live, on }: { slug: string; studyUid: string; brief: SeriesBrief; live: ViewerSeries | undefined; on: boolean }) {
  const slices = live?.slices ?? brief.instances;
  const seen = Math.min(live?.seen ?? 0, slices);
  const share = slices ? Math.round((seen / slices) * 100) : 0;
  const left = slices - seen;
  const name = `${brief.number !== null ? `${brief.number}. ` : ""}${brief.description || brief.modality}`;
  return (
    <li>
      <button type="button" className={`ser${on ? " on" : ""}`} aria-pressed={on} onClick={() => send({ kind: "series", uid: brief.uid })}>
        <Picture src={thumbnailUrl(slug, studyUid, brief.uid)} />
        <span className="grow">
          <span className="m cut" title={name}>
            {name}
          </span>
          <span className="q mi num">
            {left > 0 && seen > 0 ? `${left} of ${slices} not seen` : `${slices} ${slices === 1 ? "image" : "images"}`}
          </span>
          <span className="seen" role="img" aria-label={`${share} percent seen`} title={`${share} % seen`}>
            <i style={{ width: `${share}%` }} />
          </span>
        </span>
      </button>
    </li>
  );
}

function Prior({ prior, slug, loaded, reading, onShow, onReport }: { prior: PriorBrief; slug: string; loaded: boolean; reading: boolean; onShow: () => void; onReport: () => void }) {
  const { shown } = useViewer();
  const on = shown?.includes(prior.study_instance_uid) ?? false;
  return (
    <li className="pr-li">
      <button type="button" className={`ser pr${on ? " on" : ""}`} aria-pressed={on} onClick={onShow}>
        <Picture src={thumbnailUrl(slug, prior.study_instance_uid)} />
        <span className="grow">
          <span className="m num">{prior.study_date ? plainDate(prior.study_date) : "No date"}</span>
          <span className="cut" title={prior.description ?? undefined}>
            {prior.description ?? prior.modalities.join(", ")}
          </span>
          <span className="q mi">{on ? "PRIOR, shown" : loaded ? "PRIOR, loaded" : "PRIOR"}</span>
        </span>
      </button>
      {prior.report_version_id && (
        <button type="button" className={`btn btn-q btn-sm rp${reading ? " on" : ""}`} onClick={onReport} title="The report of this prior">
          report
        </button>
      )}
    </li>
  );
}

function Picture({ src }: { src: string }) {
  const [failed, setFailed] = useState(false);
  return failed ? <span className="thumb" /> : <img className="thumb" src={src} alt="" loading="lazy" decoding="async" draggable={false} onError={() => setFailed(true)} />;
}

function PriorReport({ prior, zone, onClose }: { prior: PriorBrief; zone: string; onClose: () => void }) {
  const id = prior.report_version_id ?? "";
  const report = useQuery({ queryKey: ["report", id], queryFn: ({ signal }) => api.get<Version>(url`/api/reports/${id}`, signal), staleTime: Number.POSITIVE_INFINITY });
  return (
    <section className="pr-rep scroll" aria-label="Report of the prior">
      <div className="row sp">
        <span className="caps">Report of {prior.study_date ? plainDate(prior.study_date) : "the prior"}</span>
        <IconButton label="Close" icon="cross" size="sm" onClick={onClose} />
      </div>
      {report.data ? <ReportText version={report.data} zone={zone} /> : report.isError ? <ErrorState error={report.error} retry={() => void report.refetch()} /> : <SkeletonText lines={4} />}
    </section>
  );
}

/** While the case opens: the frame without anything that could belong to somebody else. */
export function LeftWaiting() {
  return (
    <aside className="left" aria-hidden="true">
      <div className="ph">
        <Icon name="images" />
      </div>
    </aside>
  );
}
