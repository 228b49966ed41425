import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, url } from "../../api/client";
import type { Topic } from "../../api/live";
import { hasRole, herePlace, mayEnter, useSession } from "../../api/session";
import type { CaseDetail, Timeline } from "../../api/types";
import { Chip, ErrorState, Foot, LinkButton, Note, Page, PatientBanner, type Place, SkeletonRows, type Tab, Tabs, useKeys, zoneCity } from "../../kit";
import { QuestionPanel } from "../questions/QuestionPanel";
import { Actions } from "./Actions";
import { CasesPage } from "./Cases";
import { Deliveries } from "./Deliveries";
import { Disagreements } from "./Disagreements";
import { Orders, Reports, Studies } from "./Papers";
import { Readers } from "./Readers";
import { Seen, Steps } from "./Records";
import { SiteReports } from "./SiteReports";
import { TimelinePanel } from "./TimelinePanel";
import { promiseDone, promiseOutcome, stateWords } from "./words";
import "../board/board.css";
import "./case.css";

const TOPICS: readonly Topic[] = ["case", "study", "order", "delivery", "report", "alarm"];

export default function CaseRoom() {
  const { caseId } = useParams();
  return caseId ? <CasePage caseId={caseId} /> : <CasesPage />;
}

/** One case: its time, who could read it, who saw what, and all its papers. */
function CasePage({ caseId }: { caseId: string }) {
  const session = useSession();
  const board = session.rooms.includes("board");
  const crumb = board ? { label: "Command centre", to: "/board" } : session.rooms.includes("list") ? { label: "My list", to: "/list" } : session.rooms.includes("site") ? { label: "Site", to: "/site" } : { label: "Cases", to: "/case" };
  const found = useQuery({ queryKey: ["case", caseId], queryFn: ({ signal }) => api.get<CaseDetail>(url`/api/cases/${caseId}`, signal), meta: { topics: TOPICS } });
  const timeline = useQuery({ queryKey: ["timeline", caseId], queryFn: ({ signal }) => api.get<Timeline>(url`/api/cases/${caseId}/timeline`, signal), meta: { topics: TOPICS } });
  const detail = found.data;
  const here = herePlace(session);
  const places = detail ? zones(detail, timeline.data, here) : undefined;
  const held = detail?.hold_reason != null;
  return (
    <Page
      title={detail ? `Case ${detail.orders[0]?.accession ?? detail.id.slice(-8)}` : "Case"}
      crumb={crumb}
      windowTitle="Case"
      places={places}
      chip={
        detail && (
          <>
            <Chip tone={detail.state === "no_reader" || held ? "amber" : "outline"} title={detail.hold_reason ?? undefined}>
              {held ? onHold(detail.hold_reason ?? "") : stateWords(detail.state)}
            </Chip>
            {detail.is_provisional && <Chip tone="amber">provisional</Chip>}
            {detail.patient && mayEnter(session, "patients") && (
              <LinkButton size="sm" look="quiet" to={`/patients/${detail.patient.id}`}>
                Patient
              </LinkButton>
            )}
            <Actions detail={detail} held={held} />
          </>
        )
      }
    >
      {detail && places ? (
        <Shown detail={detail} timeline={timeline.data} failure={timeline.isError ? timeline.error : null} retry={() => void timeline.refetch()} places={places} back={crumb?.to} />
      ) : found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : (
        <SkeletonRows rows={10} />
      )}
    </Page>
  );
}

/** With the reason, where it is short enough for a chip. */
function onHold(reason: string): string {
  return reason.length > 48 ? "On hold" : `On hold: ${reason}`;
}

/** The site's zone, then the reader's; one of them where both are the same. */
function zones(detail: CaseDetail, timeline: Timeline | undefined, here: Place): [Place, ...Place[]] {
  const site: Place = { zone: detail.facility.time_zone, label: detail.facility.short_name };
  const reader = timeline?.reader_zone ? { zone: timeline.reader_zone, label: zoneCity(timeline.reader_zone) } : here;
  return reader.zone === site.zone ? [site] : [site, reader];
}

type View = "readers" | "reports" | "deliveries" | "orders" | "studies" | "theirs" | "questions";

function Shown({ detail, timeline, failure, retry, places, back }: { detail: CaseDetail; timeline: Timeline | undefined; failure: unknown; retry: () => void; places: [Place, ...Place[]]; back: string | undefined }) {
  const navigate = useNavigate();
  const session = useSession();
  const asks = hasRole(session, "coordinator") || hasRole(session, "site_staff");
  const [view, setView] = useState<View>("readers");
  const [site] = places;
  const tabs: (Tab & { id: View })[] = [
    { id: "readers", label: "Who could read it" },
    { id: "reports", label: "Reports", count: detail.versions.length },
    { id: "deliveries", label: "Deliveries", count: detail.deliveries.length, tone: detail.deliveries.some((one) => one.state === "failed" || one.state === "held") ? "hot" : undefined },
    { id: "orders", label: "Orders", count: detail.orders.length },
    { id: "studies", label: "Studies", count: detail.studies.length + detail.priors.length },
    { id: "theirs", label: "From the site", tone: detail.alarms.some((alarm) => alarm.kind === "discrepancy") ? "hot" : undefined },
    ...(asks ? [{ id: "questions" as const, label: "Questions" }] : []),
  ];
  useKeys("Case", [
    ...tabs.map((tab, index) => ({ id: `case.tab.${tab.id}`, keys: [String(index + 1)], label: tab.label, run: () => setView(tab.id) })),
    ...(back ? [{ id: "case.back", keys: ["Escape"], label: "Back", run: () => void navigate(back) }] : []),
  ]);
  const outcome = promiseOutcome(detail);
  return (
    <div className="page">
      <div className="cg">
        <div className="cg-top">
          {detail.patient ? (
            <PatientBanner
              patient={detail.patient}
              accession={detail.orders[0]?.accession}
              exam={detail.exam}
              site={{ ...site, label: detail.facility.name }}
              here={places[1]}
              priority={detail.priority}
              promise={{ minutes: detail.promise_minutes, start: detail.clock_started_at, due: detail.due_at, stopped: promiseDone(detail) ?? detail.closed_at }}
              outcome={outcome && <span className={`m num${outcome.kept ? "" : " red"}`}>{outcome.text}</span>}
            />
          ) : (
            <div className="no-patient">
              <Note tone="amber">
                <b>{detail.exam}</b>, {detail.facility.name}. Whose images these are is not known yet: the study waits for its order.
              </Note>
            </div>
          )}
          <Disagreements detail={detail} />
          {detail.alarms.filter((alarm) => alarm.seen_by === null).length > 0 && (
            <div className="alarms">
              {detail.alarms
                .filter((alarm) => alarm.seen_by === null)
                .map((alarm) => (
                  <Note key={alarm.id} tone="amber" icon="bell">
                    {alarm.text}
                  </Note>
                ))}
            </div>
          )}
        </div>
        {timeline ? (
          <>
            <TimelinePanel detail={detail} timeline={timeline} places={places} />
            <Steps timeline={timeline} places={places} />
            <Seen timeline={timeline} places={places} />
          </>
        ) : (
          <div className="panel tl">{failure ? <ErrorState error={failure} retry={retry} /> : <SkeletonRows rows={3} />}</div>
        )}
        <section className="panel pp clip" aria-label="Readers and papers">
          <div className="ph tabbed">
            <Tabs label="Readers and papers" tabs={tabs} value={view} onChange={(id) => setView(id as View)} />
          </div>
          {view === "readers" && <Readers detail={detail} place={site} />}
          {view === "reports" && <Reports detail={detail} place={site} />}
          {view === "deliveries" && <Deliveries detail={detail} place={site} />}
          {view === "orders" && <Orders detail={detail} place={site} />}
          {view === "studies" && <Studies detail={detail} place={site} />}
          {view === "theirs" && <SiteReports caseId={detail.id} place={site} />}
          {view === "questions" && (
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard
            <div className="scroll qn-tab" tabIndex={0} role="region" aria-label="Questions">
              <QuestionPanel subject="case" id={detail.id} site={site} keyScope="Case" />
            </div>
          )}
        </section>
      </div>
      <Foot
        keys={[
          { keys: ["1", String(tabs.length)], label: asks ? "readers to questions" : "readers to the site’s reports" },
          { keys: ["a"], label: "reassign" },
          ...(back ? [{ keys: ["Escape"], label: "back" }] : []),
          { keys: ["?"], label: "all keys" },
        ]}
      >
        <span className="num">{detail.organization_name}</span>
      </Foot>
    </div>
  );
}
