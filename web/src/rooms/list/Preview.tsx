import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, url } from "../../api/client";
import { thumbnailUrl, useSeries } from "../../api/dicomweb";
import type { CaseDetail, ListItem, StudyBrief } from "../../api/types";
import { Button, clock, clockSeconds, ErrorState, Note, PatientLine, patientName, type Place, plainDate, PriorityMark, Section, SkeletonText, TimeLeft, useNow, Why } from "../../kit";
import { heldBy } from "./words";

/** Beside the list: who it is, why this reader, what is asked, what there is to compare with, and first pictures. */
export function Preview({ item, me, here, onOpen, onHandBack, onAddendum }: { item: ListItem; me: string; here: Place; onOpen: () => void; onHandBack: () => void; onAddendum: () => void }) {
  const now = useNow();
  const site: Place = { zone: item.facility.time_zone, label: item.facility.short_name };
  const detail = useQuery({
    queryKey: ["case", item.case_id],
    queryFn: ({ signal }) => api.get<CaseDetail>(url`/api/cases/${item.case_id}`, signal),
    meta: { topics: ["case", "study", "order", "report"] },
  });
  const done = item.state === "done";
  const holder = heldBy(item, me);
  return (
    <aside className="side scroll" aria-label="Preview of the chosen case">
      <div className="sect" style={{ paddingBottom: 12 }}>
        <div className="row sp" style={{ marginBottom: 6 }}>
          <PriorityMark priority={item.priority} withLabel />
          <span style={{ width: 170 }}>
            <TimeLeft due={item.due_at} start={item.clock_started_at} places={[site, here]} stopped={done ? now : null} />
          </span>
        </div>
        <div className="who">{item.patient ? patientName(item.patient) : "Patient not matched yet"}</div>
        {item.patient && <PatientLine patient={item.patient} at={now} zone={site.zone} />}
        <div className="m pv-exam">{item.exam}</div>
        <div className="q">
          {item.facility.name} · <span className="num">{clock(now, site.zone)}</span>
        </div>
        <div className="row" style={{ marginTop: 10 }}>
          {done ? (
            <Button className="grow" icon="plus" onClick={onAddendum}>
              Addendum
            </Button>
          ) : (
            <>
              <Button look="primary" className="grow" keyHint="Enter" onClick={onOpen}>
                Open
              </Button>
              <Button keyHint="b" title="Hand back with a reason" onClick={onHandBack}>
                Hand back
              </Button>
            </>
          )}
          <Link className="btn btn-i" to={`/case/${item.case_id}`} aria-label="The whole case" title="The whole case">
            ⋯
          </Link>
        </div>
        <Notes item={item} holder={holder} />
      </div>
      {detail.data ? <Details detail={detail.data} here={here} /> : detail.isError ? <ErrorState error={detail.error} retry={() => void detail.refetch()} /> : <SkeletonText lines={6} />}
    </aside>
  );
}

function Notes({ item, holder }: { item: ListItem; holder: string | null }) {
  return (
    <>
      {holder && (
        <div className="pv-note">
          <Note icon="lock">{holder} has this case open.</Note>
        </div>
      )}
      {item.hold_reason && (
        <div className="pv-note">
          <Note tone="amber">On hold: {item.hold_reason}. The clock goes on.</Note>
        </div>
      )}
      {item.is_provisional && (
        <div className="pv-note">
          <Note tone="amber">Read before its order is matched: your report is held until then.</Note>
        </div>
      )}
      {item.late_images_at && item.state !== "done" && (
        <div className="pv-note">
          <Note tone="amber">New images came after the case was ready.</Note>
        </div>
      )}
    </>
  );
}

function Details({ detail, here }: { detail: CaseDetail; here: Place }) {
  const order = detail.orders[0];
  return (
    <>
      {detail.why.length > 0 && (
        <Section title="Why you" end={<Link to={`/case/${detail.id}`}>All readers</Link>}>
          <Why reasons={detail.why} />
        </Section>
      )}
      <Section title="Order" end={<span className="num">{order?.accession}</span>}>
        {order ? (
          <>
            <p>{order.indication ?? <span className="q">No question was given.</span>}</p>
            <p className="q sm" style={{ marginTop: 4 }}>
              {[order.referrer_name, order.referrer_phone].filter(Boolean).join(" · ")}
              {order.documents.map((document) => (
                <span key={document.id}>
                  {" "}
                  <a href={url`/api/orders/${order.id}/documents/${document.id}`} target="_blank" rel="noreferrer">
                    {document.name}
                  </a>
                </span>
              ))}
            </p>
          </>
        ) : (
          <p className="q">No order is matched yet.</p>
        )}
      </Section>
      {detail.priors.length > 0 && (
        <Section title="Priors" end={detail.priors.length > 4 ? `4 of ${detail.priors.length}` : undefined}>
          <table className="mini">
            <tbody>
              {detail.priors.slice(0, 4).map((prior) => (
                <tr key={prior.study_id}>
                  <td className="num q" style={{ width: 88 }}>
                    {prior.study_date ? plainDate(prior.study_date) : "–"}
                  </td>
                  <td title={prior.description ?? undefined}>{prior.description ?? prior.modalities.join(", ")}</td>
                  <td className="r q" style={{ width: 52 }}>
                    {prior.report_version_id ? "report" : ""}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Section>
      )}
      {detail.studies.map((study) => (
        <Images key={study.id} study={study} here={here} />
      ))}
    </>
  );
}

function Images({ study, here }: { study: StudyBrief; here: Place }) {
  const series = useSeries(study.organization_slug, study.study_instance_uid);
  const shown = series.data?.slice(0, 6) ?? [];
  const end = study.completed_at ? `${study.number_of_instances}, complete ${clockSeconds(study.completed_at, here.zone)}` : `${study.number_of_instances}, still coming in`;
  return (
    <Section title="Images" end={<span className="num">{end}</span>}>
      {series.isError && <p className="q sm">The archive did not show the series; opening the case tries again.</p>}
      <div className="pv-th">
        {shown.map((one) => (
          <figure key={one.uid}>
            <Thumb src={thumbnailUrl(study.organization_slug, study.study_instance_uid, one.uid)} name={one.description || `Series ${one.number ?? ""}`} />
            <figcaption title={one.description}>
              {one.description || `Series ${one.number ?? ""}`} <span>{one.instances}</span>
            </figcaption>
          </figure>
        ))}
      </div>
      {series.data && series.data.length > shown.length && <p className="q sm">and {series.data.length - shown.length} more series</p>}
    </Section>
  );
}

export function Thumb({ src, name }: { src: string; name: string }) {
  const [failed, setFailed] = useState(false);
  return failed ? (
    <span className="thumb none" role="img" aria-label={`${name}: no picture`} />
  ) : (
    // A refusal here is told on opening; a list is no place for it.
    <img className="thumb" src={src} alt={name} loading="lazy" decoding="async" draggable={false} onError={() => setFailed(true)} />
  );
}
