import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { api } from "../../api/client";
import type { Topic } from "../../api/live";
import { herePlace, useSession } from "../../api/session";
import type { Site, SiteRow } from "../../api/types";
import { Button, type Column, ColumnsButton, DataTable, Empty, ErrorState, Foot, MINUTE, near, Page, patientName, type Place, plainDate, PriorityMark, priorityRank, SkeletonRows, StepBar, type Tab, Tabs, useKeys, useNow, useTable } from "../../kit";
import { SiteQuestions } from "../questions/SiteQuestions";
import { OrderDialog } from "./OrderDialog";
import { AttachDialog, RowPanel } from "./RowPanel";
import { SendPanel } from "./SendPanel";
import { inTab, rowId, type SiteTab, sortRows, toneOf } from "./words";
import "../board/board.css";
import "./site.css";

const TOPICS: readonly Topic[] = ["case", "study", "order", "delivery", "report"];

/** The site's one minute: send images, see what becomes of each, confirm the report. */
export default function SitePage() {
  const session = useSession();
  const site = useQuery({ queryKey: ["site"], queryFn: ({ signal }) => api.get<Site>("/api/site", signal), meta: { topics: TOPICS }, refetchInterval: MINUTE });
  const name = site.data?.facilities.length === 1 ? site.data.facilities[0]?.name : session.roles.find((role) => role.role === "site_staff")?.organization_name;
  const here = herePlace(session);
  const places: Place[] | undefined = site.data && [...site.data.facilities.slice(0, 3).map((one) => ({ zone: one.time_zone, label: one.short_name })), ...(site.data.facilities.some((one) => one.time_zone === here.zone) ? [] : [here])];
  return (
    <Page title={name ?? "Site"} windowTitle="Site" places={places}>
      {site.data ? <Shown site={site.data} /> : site.isError ? <ErrorState error={site.error} retry={() => void site.refetch()} /> : <SkeletonRows rows={12} />}
    </Page>
  );
}

function Shown({ site }: { site: Site }) {
  const now = useNow(MINUTE);
  const [wanted, setWanted] = useSearchParams();
  const [tab, setTab] = useState<SiteTab | null>(null);
  const [facilityId, setFacilityId] = useState<string | null>(null);
  const [ordering, setOrdering] = useState(false);
  const [attaching, setAttaching] = useState<{ files: File[]; row: SiteRow } | null>(null);
  const rows = sortRows(site.rows);
  const wantedId = wanted.get("case") ?? wanted.get("study") ?? wanted.get("order");
  const chosen = wantedId ? rows.find((row) => row.case_id === wantedId || row.study_id === wantedId || row.order_id === wantedId) : undefined;
  // The tab is where the wanted line is, until the person chooses.
  const shownTab: SiteTab = tab ?? (chosen && !inTab(chosen, "tonight", now) ? (inTab(chosen, "orders", now) ? "orders" : "earlier") : "tonight");
  const shown = rows.filter((row) => inTab(row, shownTab, now));
  const count = (name: SiteTab) => rows.filter((row) => inTab(row, name, now)).length;
  const choose = (id: string) => {
    const row = rows.find((one) => rowId(one) === id);
    if (!row) return;
    // Ids only: an address tells nothing of a patient.
    setWanted(row.case_id ? { case: row.case_id } : row.study_id ? { study: row.study_id } : { order: row.order_id ?? "" }, { replace: true });
  };
  const facility = site.facilities.find((one) => one.id === (facilityId ?? chosen?.facility_id)) ?? site.facilities[0];
  const zoneOf = (row: SiteRow) => site.facilities.find((one) => one.id === row.facility_id)?.time_zone ?? "UTC";
  const tabs: (Tab & { id: SiteTab })[] = [
    { id: "tonight", label: "Tonight", count: count("tonight") },
    { id: "needs", label: "Needs you", count: count("needs"), tone: "hot" },
    { id: "unseen", label: "Not yet seen", count: count("unseen") },
    { id: "orders", label: "Orders", count: count("orders") },
    ...(count("earlier") > 0 ? [{ id: "earlier" as const, label: "Earlier", count: count("earlier") }] : []),
  ];
  const many = site.facilities.length > 1;
  const columns: Column<SiteRow>[] = [
    { id: "pri", head: "Pri", width: 46, cell: (row) => <PriorityMark priority={row.priority} />, sort: (row) => priorityRank(row.priority) },
    { id: "patient", head: "Patient", width: 184, fixed: true, cell: (row) => (row.patient ? <span className="m">{patientName(row.patient)}</span> : <span className="amber">no order yet</span>), sort: (row) => (row.patient ? patientName(row.patient) : null) },
    { id: "born", head: "Born", width: 104, fixed: true, cell: (row) => <span className="num q">{row.patient?.birth_date ? plainDate(row.patient.birth_date) : "–"}</span>, sort: (row) => row.patient?.birth_date },
    { id: "mrn", head: "MRN", width: 116, show: "wide", cell: (row) => <span className="num q">{row.patient?.identifiers[0]?.value ?? "–"}</span>, sort: (row) => row.patient?.identifiers[0]?.value },
    ...(many ? [{ id: "site", head: "Facility", width: 110, show: "wide" as const, cell: (row: SiteRow) => <span className="q">{site.facilities.find((one) => one.id === row.facility_id)?.short_name}</span> }] : []),
    { id: "exam", head: "Exam", cell: (row) => row.exam, sort: (row) => row.exam },
    { id: "last", head: "Last image", width: 92, show: "not-narrow", align: "right", cell: (row) => <span className="num q">{row.last_image_at ? near(row.last_image_at, zoneOf(row), now) : "–"}</span>, sort: (row) => row.last_image_at },
    { id: "state", head: "State", width: 178, fixed: true, cell: (row) => <StepBar current={row.steps.current} names={row.steps.names} attention={row.steps.attention} label={row.state_text} />, sort: (row) => row.steps.current },
    { id: "what", head: "What happens", cell: (row) => <span className="q two" title={row.what_happens}>{row.what_happens}</span> },
  ];
  const state = useTable("site", columns, shown, rowId);
  useKeys("Site", [{ id: "site.order", keys: ["o"], label: "Order by hand", run: () => setOrdering(true) }]);
  if (!facility) return <Empty title="No facility is open to you" icon="site">Your administrator gives you the role of site staff at a facility.</Empty>;
  const target = chosen?.order_id ? { orderId: chosen.order_id, name: chosen.patient ? patientName(chosen.patient) : chosen.exam } : null;
  return (
    <div className="page site">
      <SiteQuestions />
      <div className="sg">
        <SendPanel site={site} facility={facility} onFacility={setFacilityId} target={target} onDocuments={(files) => chosen && setAttaching({ files, row: chosen })} />
        <section className="panel sl1 clip" aria-label="Studies and orders">
          <div className="ph sl-h">
            <Tabs label="Which lines" tabs={tabs} value={shownTab} onChange={(id) => setTab(id as SiteTab)} />
            <span className="end">
              <Button icon="plus" keyHint="o" onClick={() => setOrdering(true)}>
                Order by hand
              </Button>
              <ColumnsButton state={state} />
            </span>
          </div>
          <DataTable state={state} label="Studies and their state" main selected={chosen ? rowId(chosen) : null} onSelect={choose} rowTone={(row) => toneOf(row, now)} empty={<Nothing tab={shownTab} ae={site.node.ae_title} onOrder={() => setOrdering(true)} />} />
        </section>
        <RowPanel key={chosen ? rowId(chosen) : "none"} row={chosen} facility={site.facilities.find((one) => one.id === chosen?.facility_id) ?? facility} onAttach={(files) => chosen && setAttaching({ files, row: chosen })} />
      </div>
      <Foot
        keys={[
          { keys: ["j", "k"], label: "move" },
          { keys: ["a"], label: "acknowledge" },
          { keys: ["p"], label: "print" },
          { keys: ["u"], label: "send" },
          { keys: ["o"], label: "order" },
          { keys: ["?"], label: "all keys" },
        ]}
      />
      {ordering && (
        <OrderDialog
          facilities={site.facilities}
          first={facility.id}
          onClose={(orderId) => {
            setOrdering(false);
            if (orderId) {
              setTab(null);
              setWanted({ order: orderId }, { replace: true });
            }
          }}
        />
      )}
      {attaching?.row.order_id && <AttachDialog files={attaching.files} orderId={attaching.row.order_id} about={`${attaching.row.patient ? `${patientName(attaching.row.patient)}, ` : ""}${attaching.row.exam}`} onClose={() => setAttaching(null)} />}
    </div>
  );
}

function Nothing({ tab, ae, onOrder }: { tab: SiteTab; ae: string; onOrder: () => void }) {
  if (tab === "needs")
    return (
      <Empty title="Nothing needs you" icon="check">
        Studies without an order and reports that your system did not take come here.
      </Empty>
    );
  if (tab === "unseen")
    return (
      <Empty title="You have seen every report" icon="check">
        A signed report stays here until somebody of the site confirms it with A.
      </Empty>
    );
  if (tab === "orders")
    return (
      <Empty title="No order waits for its images" icon="document" action={<Button onClick={onOrder}>Order by hand</Button>}>
        Orders come by HL7 from your system, or are entered here.
      </Empty>
    );
  return (
    <Empty title="Nothing sent yet" icon="images">
      Send images from the modality to {ae}, or drop a folder above. Each study stands here with its six steps, from order to report seen.
    </Empty>
  );
}
