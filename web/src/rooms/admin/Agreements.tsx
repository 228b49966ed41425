import { useState } from "react";
import { api } from "../../api/client";
import { type Column, day, PRIORITIES, PriorityMark, span, MINUTE, useNow } from "../../kit";
import { isJurisdiction, nameIn, options, renew, useAdminList, useOrganizations } from "./data";
import { ListSection } from "./ListSection";
import { type Field, RecordDialog } from "./RecordDialog";
import { Change } from "./Sites";
import type { Agreement } from "./types";
import { endOfDay, jurisdictionName, lastDay, standing, startOfDay, SUBSPECIALTIES } from "./words";

const PROMISE = "promise.";

/** Versions are never edited: a new one supersedes, so that an old case is judged by what was agreed then. */
export function Agreements() {
  const now = useNow(MINUTE);
  const list = useAdminList<Agreement>("agreements");
  const organizations = useOrganizations();
  const [from, setFrom] = useState<Agreement | "new" | null>(null);
  const clients = organizations.data?.filter((one) => one.kind !== "reading_group");
  const groups = organizations.data?.filter((one) => one.kind === "reading_group");
  // The other side is often not one's own to administer: it is known from earlier versions.
  const known = new Map([...(groups ?? []).map((one) => [one.id, one.name] as const), ...(list.data ?? []).map((one) => [one.group_organization_id, one.group_name] as const)]);
  const fields: Field[] = [
    { name: "organization_id", label: "Client", kind: "select", required: true, half: true, options: options(clients) },
    { name: "group_organization_id", label: "Reading group", kind: "select", required: true, half: true, options: [...known].map(([value, label]) => ({ value, label })) },
    { name: "exam_classes", label: "What is read", kind: "multi", hint: "Empty: everything", options: SUBSPECIALTIES.map((one) => ({ value: `subspecialty:${one}`, label: one })) },
    {
      name: "read_kind",
      label: "Reads are",
      kind: "select",
      required: true,
      half: true,
      options: [
        { value: "final", label: "final" },
        { value: "preliminary", label: "preliminary" },
      ],
    },
    { name: "viewing_places", label: "Images may be seen from", kind: "tags", half: true, hint: "Jurisdictions as NO, AU; empty: the law alone decides" },
    ...Object.entries(PRIORITIES).map(([code, { label }]) => ({ name: `${PROMISE}${code}`, label: `${label}, minutes`, kind: "number" as const, half: true })),
    { name: "valid_from", label: "First day", kind: "date", half: true, hint: "Empty: at once" },
    { name: "valid_until", label: "Last day", kind: "date", half: true, hint: "Empty: open" },
    { name: "includes_coordination", label: "The group's coordinators look after it", kind: "switch" },
    { name: "allows_provisional_stat", label: "A STAT may be read before it is matched", kind: "switch", hint: "The report is held until then" },
  ];
  const columns: Column<Agreement>[] = [
    { id: "client", head: "Client", width: 124, cell: (one) => <span className="m">{nameIn(organizations.data, one.organization_id)}</span>, sort: (one) => `${nameIn(organizations.data, one.organization_id)} ${one.group_name} ${1000 - one.version}` },
    { id: "group", head: "Group", width: 116, cell: (one) => one.group_name, sort: (one) => one.group_name },
    { id: "version", head: "Version", width: 64, align: "right", cell: (one) => <span className="num">{one.version}</span>, sort: (one) => one.version },
    { id: "reads", head: "Reads", width: 160, cell: (one) => `${one.exam_classes.length ? one.exam_classes.map((name) => name.replace("subspecialty:", "")).join(", ") : "everything"}, ${one.read_kind}` },
    {
      id: "promises",
      head: "Promises",
      cell: (one) => (
        <span className="proms" title={Object.entries(one.promises).map(([priority, minutes]) => `${priority} ${span(minutes * MINUTE)}`).join(", ")}>
          {Object.entries(one.promises)
            .sort((a, b) => a[1] - b[1])
            .map(([priority, minutes]) => (
              <span key={priority} className="num q">
                <PriorityMark priority={priority} /> {span(minutes * MINUTE)}
              </span>
            ))}
        </span>
      ),
    },
    { id: "from", head: "From", width: 98, cell: (one) => <span className="num q">{day(one.valid_from, "UTC")}</span>, sort: (one) => one.valid_from },
    { id: "until", head: "Last day", width: 98, cell: (one) => <span className={`num${standing(one, now) === "ended" ? " f" : " q"}`}>{lastDay(one.valid_until)}</span>, sort: (one) => one.valid_until },
    { id: "places", head: "Seen from", width: 180, show: "wide", cell: (one) => <span className="q">{one.viewing_places.length ? one.viewing_places.map(jurisdictionName).join(", ") : "as the law allows"}</span> },
    { id: "renew", head: "", width: 110, cell: (one) => (newest(list.data, one) ? <Change onClick={() => setFrom(one)}>New version</Change> : <span className="f">superseded</span>) },
  ];
  return (
    <>
      <ListSection<Agreement>
        id="agreements"
        title="Agreements"
        sub="who reads for whom, how fast, and from where"
        query={list}
        rowId={(one) => one.id}
        sort="client"
        onOpen={(one) => newest(list.data, one) && setFrom(one)}
        tone={(one) => (standing(one, now) === "ended" || !newest(list.data, one) ? "away" : undefined)}
        add={{ label: "New agreement", run: () => setFrom("new") }}
        columns={columns}
        empty={{ title: "No agreement yet", text: "An agreement lets a reading group read a client's cases, and promises how fast. Without one no case has a reader.", icon: "document" }}
      />
      {from && (
        <RecordDialog
          title={from === "new" ? "New agreement" : `Version ${from.version + 1} of the agreement with ${from.group_name}`}
          save="Agree"
          width={680}
          note="A version is never changed: cases that began under an earlier one keep it."
          fields={fields}
          start={
            from === "new"
              ? { organization_id: clients?.length === 1 ? (clients[0]?.id ?? null) : null, read_kind: "final", includes_coordination: true, allows_provisional_stat: true, exam_classes: [], viewing_places: [], [`${PROMISE}STAT`]: 30, [`${PROMISE}ROUTINE`]: 720 }
              : {
                  organization_id: from.organization_id,
                  group_organization_id: from.group_organization_id,
                  exam_classes: from.exam_classes,
                  read_kind: from.read_kind,
                  viewing_places: from.viewing_places,
                  includes_coordination: from.includes_coordination,
                  allows_provisional_stat: from.allows_provisional_stat,
                  ...Object.fromEntries(Object.entries(from.promises).map(([priority, minutes]) => [`${PROMISE}${priority}`, minutes])),
                }
          }
          onClose={() => setFrom(null)}
          onSave={async (values) => {
            const places = Array.isArray(values.viewing_places) ? values.viewing_places : [];
            const wrong = places.find((place) => isJurisdiction(place) !== null);
            if (wrong) throw new Error(`${wrong} is no jurisdiction: two letters of the country, as NO, or US-TX`);
            const promises = Object.fromEntries(Object.entries(values).flatMap(([name, minutes]) => (name.startsWith(PROMISE) && typeof minutes === "number" && minutes > 0 ? [[name.slice(PROMISE.length), minutes]] : [])));
            if (Object.keys(promises).length === 0) throw new Error("Promise at least one priority in minutes");
            await api.post("/api/admin/agreements", {
              organization_id: values.organization_id,
              group_organization_id: values.group_organization_id,
              exam_classes: values.exam_classes ?? [],
              read_kind: values.read_kind,
              viewing_places: places,
              includes_coordination: values.includes_coordination === true,
              allows_provisional_stat: values.allows_provisional_stat === true,
              promises,
              valid_from: typeof values.valid_from === "string" && values.valid_from ? startOfDay(values.valid_from) : null,
              valid_until: typeof values.valid_until === "string" ? endOfDay(values.valid_until) : null,
            });
            renew("agreements");
          }}
        />
      )}
    </>
  );
}

function newest(all: readonly Agreement[] | undefined, one: Agreement): boolean {
  return !all?.some((other) => other.organization_id === one.organization_id && other.group_organization_id === one.group_organization_id && other.version > one.version);
}
