import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, url } from "../../api/client";
import { mayEnter, useSession } from "../../api/session";
import type { CaseDetail, Version } from "../../api/types";
import { Chip, dayClock, Empty, ErrorState, Facts, GarbledText, Icon, LinkButton, near, type Place, plainDate, PriorityMark, PRIORITIES, priorityOf, ReportText, SkeletonText, useNow, versionName } from "../../kit";
import { CancelRequest } from "./CancelRequest";

/** The signed versions, newest first; the text is asked for (and so recorded as seen) only when it is opened. */
export function Reports({ detail, place }: { detail: CaseDetail; place: Place }) {
  const versions = [...detail.versions].sort((a, b) => b.number - a.number);
  const [chosen, setChosen] = useState<string | null>(null);
  const open = versions.find((version) => version.id === chosen) ?? versions[0];
  const report = useQuery({
    queryKey: ["report", open?.id],
    queryFn: ({ signal }) => api.get<Version>(url`/api/reports/${open?.id ?? ""}`, signal),
    enabled: open !== undefined,
    staleTime: Infinity,
  });
  if (!open)
    return (
      <Empty title="No report yet" icon="document">
        It appears here when the reader signs it, and each addendum after it.
      </Empty>
    );
  return (
    <div className="reports">
      <ul className="ul vers" aria-label="Versions">
        {versions.map((version) => (
          <li key={version.id} className={version.id === open.id ? "on" : undefined}>
            <button type="button" className="txt grow" onClick={() => setChosen(version.id)} aria-pressed={version.id === open.id}>
              <span>{versionName(version)}</span>
              <span className="q sm">
                {version.signer_name}
                {version.signed_at && `, ${dayClock(version.signed_at, place.zone)}`}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard */}
      <div className="scroll rep" tabIndex={0} role="region" aria-label="Report">
        <div className="row rep-h">
          <a className="btn btn-sm" href={url`/api/reports/${open.id}/pdf`} target="_blank" rel="noopener">
            <Icon name="document" size={13} />
            PDF
          </a>
        </div>
        {report.isError ? <ErrorState error={report.error} retry={() => void report.refetch()} /> : report.data ? <ReportText version={report.data} zone={place.zone} exam={detail.exam} /> : <SkeletonText lines={8} />}
      </div>
    </div>
  );
}

const SOURCES: Record<string, string> = { hl7: "by HL7", manual: "by hand" };

export function Orders({ detail, place }: { detail: CaseDetail; place: Place }) {
  if (detail.orders.length === 0)
    return (
      <Empty title={detail.is_provisional ? "Read as provisional: no order yet" : "No order"} icon="document">
        When an order is matched to the study it stands here with its documents.
      </Empty>
    );
  return (
    <div className="scroll pad-l">
      {detail.orders.map((order) => (
        <section className="order" key={order.id}>
          <div className="row">
            <PriorityMark priority={order.priority} />
            <b>{order.procedures.map((procedure) => procedure.description).join(" + ")}</b>
            <span className="q">
              {PRIORITIES[priorityOf(order.priority)].label}, {SOURCES[order.source] ?? order.source}
            </span>
            {order.status === "cancelled" && <Chip tone="amber">cancelled</Chip>}
          </div>
          <CancelRequest order={order} />
          <Facts
            facts={[
              ["Asked", order.indication ?? "nothing written"],
              ...(order.notes ? [["Notes", order.notes] as const] : []),
              ["Referrer", [order.referrer_name, order.referrer_phone].filter(Boolean).join(", ") || "not named"],
              ["Accession", order.accession ?? "none"],
              ["Placer, filler", [order.placer_number ?? "–", order.filler_number ?? "–"].join(", ")],
              ["Came", `${dayClock(order.received_at, place.zone)} ${place.label}${order.ordered_at ? `, ordered ${dayClock(order.ordered_at, place.zone)}` : ""}`],
              [
                "Documents",
                order.documents.length ? (
                  <ul>
                    {order.documents.map((document) => (
                      <li key={document.id}>
                        <a href={url`/api/orders/${order.id}/documents/${document.id}`} target="_blank" rel="noopener">
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
        </section>
      ))}
    </div>
  );
}

export function Studies({ detail, place }: { detail: CaseDetail; place: Place }) {
  const now = useNow();
  const session = useSession();
  const mayHide = mayEnter(session, "hidden");
  const mayMend = mayEnter(session, "identity");
  return (
    <div className="scroll">
      <table aria-label="Studies" className="inset">
        <thead>
          <tr>
            <th>Study</th>
            <th style={{ width: 76 }}>Modality</th>
            <th style={{ width: 104 }}>Date</th>
            <th style={{ width: 58 }} className="r">
              Series
            </th>
            <th style={{ width: 66 }} className="r">
              Images
            </th>
            <th style={{ width: 86 }}>Complete</th>
            <th>Order, report</th>
            {mayHide && <th style={{ width: 86 }} />}
          </tr>
        </thead>
        <tbody>
          {detail.studies.map((study) => (
            <tr key={study.id}>
              <td className="m">
                {study.description ?? "Study"} {study.charset_suspect && <GarbledText />}
              </td>
              <td className="q">{study.modalities.join(", ")}</td>
              <td className="num q">{study.study_date ? plainDate(study.study_date) : "–"}</td>
              <td className="num q r">{study.number_of_series}</td>
              <td className="num q r">{study.number_of_instances}</td>
              <td className="num q">{study.completed_at ? near(study.completed_at, place.zone, now) : "arriving"}</td>
              <td className="q wrap">
                {mayMend ? (
                  <Link to={`/identity/${study.id}`} title="Whose images these are">
                    {study.match_state.replaceAll("_", " ")}
                  </Link>
                ) : (
                  study.match_state.replaceAll("_", " ")
                )}
                {study.match_state === "matched" && study.match_reason && `: ${study.match_reason}`}
              </td>
              {mayHide && (
                <td className="r">
                  <LinkButton size="sm" look="quiet" to={`/hidden/${study.id}`}>
                    Images
                  </LinkButton>
                </td>
              )}
            </tr>
          ))}
          {detail.priors.map((prior) => (
            <tr key={prior.study_id} className="prior">
              <td>
                {prior.description ?? "Study"} <Chip tone="outline">prior</Chip>
              </td>
              <td className="q">{prior.modalities.join(", ")}</td>
              <td className="num q">{prior.study_date ? plainDate(prior.study_date) : "–"}</td>
              <td />
              <td />
              <td />
              <td>
                {prior.report_version_id ? (
                  <a href={url`/api/reports/${prior.report_version_id}/pdf`} target="_blank" rel="noopener">
                    Report (PDF)
                  </a>
                ) : (
                  <span className="q">no report here</span>
                )}
              </td>
              {mayHide && <td />}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
