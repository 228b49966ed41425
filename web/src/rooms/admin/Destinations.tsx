import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, queryClient } from "../../api/client";
import { herePlace, useSession } from "../../api/session";
import type { DestinationLine } from "../../api/types";
import { MINUTE, near, StateDot, useNow } from "../../kit";
import { nameIn, options, renew, useAdminList, useFacilities } from "./data";
import { ABOUT, bodyOf, DEFAULTS, fieldsOf, type Kind, KINDS, lasting, stateOf } from "./destinations";
import { ListSection } from "./ListSection";
import { type Field, RecordDialog } from "./RecordDialog";
import type { Node } from "./types";

export function useDestinations() {
  return useQuery({ queryKey: ["admin", "destinations"], queryFn: ({ signal }) => api.get<DestinationLine[]>("/api/admin/destinations", signal), meta: { topics: ["delivery"] }, refetchInterval: MINUTE });
}

export function renewDestinations(): void {
  void queryClient.invalidateQueries({ queryKey: ["admin", "destinations"] });
  renew("endpoints");
}

/** Where reports go, and whether they arrive. */
export function Destinations() {
  const navigate = useNavigate();
  const now = useNow(MINUTE);
  const here = herePlace(useSession());
  const list = useDestinations();
  const facilities = useFacilities();
  const nodes = useAdminList<Node>("nodes");
  const [choosing, setChoosing] = useState(false);
  const [kind, setKind] = useState<Kind | null>(null);
  const place: Field = { name: "facility_id", label: "Facility", kind: "select", required: true, half: true, hint: "Whose reports go there", options: options(facilities.data) };
  return (
    <>
      <ListSection<DestinationLine>
        id="destinations"
        title="Destinations"
        sub="where reports go, and whether they arrive"
        query={list}
        rowId={(one) => one.id}
        sort="name"
        onOpen={(one) => void navigate(`/admin/destinations/${one.id}`)}
        tone={(one) => (one.is_active && one.fare.held + one.fare.failed > 0 ? "broken" : undefined)}
        add={{ label: "New destination", run: () => setChoosing(true) }}
        columns={[
          { id: "name", head: "Name", cell: (one) => <span className="m">{one.name}</span>, sort: (one) => one.name },
          { id: "kind", head: "Kind", width: 130, cell: (one) => KINDS[one.kind as Kind] ?? one.kind, sort: (one) => one.kind },
          { id: "facility", head: "Facility", width: 150, show: "not-narrow", cell: (one) => <span className="q">{nameIn(facilities.data, one.facility_id)}</span>, sort: (one) => nameIn(facilities.data, one.facility_id) },
          {
            id: "state",
            head: "State",
            width: 158,
            fixed: true,
            cell: (one) => {
              const [dot, words] = stateOf(one);
              return <StateDot state={dot}>{words}</StateDot>;
            },
            sort: (one) => stateOf(one)[1],
          },
          { id: "last", head: `Last success, ${here.label}`, width: 148, cell: (one) => <span className="num">{one.fare.last_success_at ? near(one.fare.last_success_at, here.zone, now) : "–"}</span>, sort: (one) => one.fare.last_success_at },
          { id: "median", head: "Half within", width: 96, cell: (one) => <span className="num">{lasting(one.fare.median_seconds)}</span>, sort: (one) => one.fare.median_seconds },
          { id: "slow", head: "95 % within", width: 96, cell: (one) => <span className="num">{lasting(one.fare.slow_seconds)}</span>, sort: (one) => one.fare.slow_seconds },
          { id: "error", head: "Last error", show: "wide", cell: (one) => <span className="q" title={one.fare.last_error ?? undefined}>{one.fare.last_error}</span> },
        ]}
        empty={{ title: "No destination yet", text: "Where a site's reports go: its own system by HL7 or DICOM, a webhook, a mailbox, a folder. Sites without one read them on their page.", icon: "handback" }}
      />
      {choosing && (
        <RecordDialog
          title="New destination"
          save="Next"
          width={480}
          fields={[{ name: "kind", label: "Kind", kind: "select", required: true, options: Object.entries(KINDS).map(([value, label]) => ({ value, label })) }]}
          start={{ kind: "hl7_out" }}
          onClose={() => setChoosing(false)}
          onSave={async (values) => {
            await Promise.resolve();
            setKind(values.kind as Kind);
          }}
        />
      )}
      {kind && (
        <RecordDialog
          title={`New destination: ${KINDS[kind]}`}
          save="Add"
          note={ABOUT[kind]}
          fields={[place, { name: "name", label: "Name", required: true, half: true, hint: "As coordinators know it" }, ...fieldsOf(kind, nodes.data)]}
          start={{ ...DEFAULTS[kind], preliminary: false, facility_id: facilities.data?.length === 1 ? (facilities.data[0]?.id ?? null) : null }}
          onClose={() => setKind(null)}
          onSave={async (values) => {
            const made = await api.post<{ id: string }>("/api/admin/endpoints", { ...bodyOf(kind, values), kind });
            renewDestinations();
            void navigate(`/admin/destinations/${made.id}`);
          }}
        />
      )}
    </>
  );
}
