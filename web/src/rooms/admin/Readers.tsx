import { useState } from "react";
import { useNavigate } from "react-router";
import { api } from "../../api/client";
import { Avatar, type Column, DAY, MINUTE, useNow } from "../../kit";
import { isJurisdiction, options, renew, useOrganizations, useReaders, useUsers } from "./data";
import { ListSection } from "./ListSection";
import { RecordDialog, text } from "./RecordDialog";
import { Active } from "./Sites";
import type { ReaderFacts } from "./types";
import { jurisdictionName, runsOut, standing } from "./words";

export function Readers() {
  const now = useNow(MINUTE);
  const navigate = useNavigate();
  const list = useReaders();
  const users = useUsers();
  const organizations = useOrganizations();
  const [adding, setAdding] = useState(false);
  const groups = organizations.data?.filter((one) => one.kind === "reading_group");
  const free = (users.data ?? []).filter((user) => !list.data?.some((reader) => reader.user_id === user.id));
  const columns: Column<ReaderFacts>[] = [
    {
      id: "name",
      head: "Reader",
      width: 220,
      cell: (one) => (
        <span className="row">
          <Avatar name={one.name} small />
          <span className="m">{one.name}</span>
        </span>
      ),
      sort: (one) => one.name.replace(/^\S+\s/, ""),
    },
    { id: "place", head: "Reads from", width: 130, cell: (one) => one.places.find((place) => place.is_current)?.name ?? <span className="amber">not said</span>, sort: (one) => one.places.find((place) => place.is_current)?.name },
    { id: "licences", head: "Licences", cell: (one) => <span className="q">{one.licences.filter((licence) => ["valid", "soon"].includes(standing(licence, now))).map((licence) => jurisdictionName(licence.jurisdiction)).join(", ") || "none valid"}</span> },
    { id: "sub", head: "Subspecialties", width: 170, cell: (one) => <span className="q">{one.certificates.map((certificate) => certificate.subspecialty).join(", ") || "none"}</span> },
    { id: "groups", head: "Works for", width: 190, show: "not-narrow", cell: (one) => <span className="q">{one.engagements.map((engagement) => `${engagement.organization_name}${engagement.is_locum ? " (locum)" : ""}`).join(", ")}</span> },
    { id: "capacity", head: "Places", width: 66, align: "right", cell: (one) => <span className="num q">{one.capacity}</span>, sort: (one) => one.capacity },
    {
      id: "ends",
      head: "Runs out",
      width: 130,
      cell: (one) => {
        const out = runsOut(one, now);
        const gone = out.filter((thing) => thing.standing !== "soon").length;
        return out.length === 0 ? <span className="f">nothing soon</span> : <span className={gone ? "red" : "amber"}>{gone ? `${gone} ended` : `${out.length} soon`}</span>;
      },
      sort: (one) => -runsOut(one, now).length,
    },
    { id: "active", head: "State", width: 96, cell: (one) => <Active on={one.is_active} />, sort: (one) => String(one.is_active) },
  ];
  return (
    <>
      <ListSection<ReaderFacts>
        id="readers"
        title="Readers"
        sub="Enter opens one with licences, privileges and all that decides who may read"
        query={list}
        rowId={(one) => one.reader_id}
        sort="name"
        onOpen={(one) => void navigate(`/admin/readers/${one.reader_id}`)}
        tone={(one) => (!one.is_active ? "away" : runsOut(one, now).some((thing) => thing.standing !== "soon") ? "person" : undefined)}
        add={groups?.length ? { label: "New reader", run: () => setAdding(true) } : undefined}
        columns={columns}
        empty={{ title: "No reader yet", text: "A user becomes a reader when a reading group engages them. Readers with a privilege at your facilities stand here too.", icon: "people" }}
      />
      {adding && (
        <RecordDialog
          title="New reader"
          save="Engage"
          fields={[
            { name: "organization_id", label: "Group", kind: "select", required: true, half: true, options: options(groups) },
            { name: "user_id", label: "User", kind: "select", required: true, half: true, options: free.map((user) => ({ value: user.id, label: `${user.display_name} (${user.username})` })), hint: "Make the user first, under Users" },
            { name: "title", label: "Title", required: true, half: true },
            { name: "capacity", label: "Places", kind: "number", required: true, half: true, hint: "Reads open at a time, over all groups" },
            { name: "given_name", label: "Given names", required: true, half: true },
            { name: "family_name", label: "Family name", required: true, half: true },
            { name: "malpractice_jurisdictions", label: "Malpractice cover holds in", kind: "tags", hint: "As NO, US-TX" },
          ]}
          start={{ organization_id: groups?.length === 1 ? (groups[0]?.id ?? null) : null, title: "Dr", capacity: 10, malpractice_jurisdictions: [] }}
          onClose={() => setAdding(false)}
          onSave={async (values) => {
            const cover = Array.isArray(values.malpractice_jurisdictions) ? values.malpractice_jurisdictions : [];
            const wrong = cover.find((place) => isJurisdiction(place) !== null);
            if (wrong) throw new Error(`${wrong} is no jurisdiction: two letters of the country, as NO, or US-TX`);
            const made = await api.post<{ id: string }>("/api/admin/readers", { organization_id: values.organization_id, user_id: values.user_id, title: text(values.title), capacity: values.capacity, given_name: text(values.given_name), family_name: text(values.family_name), malpractice_jurisdictions: cover });
            renew("readers");
            void navigate(`/admin/readers/${made.id}`);
          }}
        />
      )}
    </>
  );
}

/** Two years behind and two ahead, for validity bars. */
export function scaleOf(now: number): { from: number; to: number; years: number[] } {
  const from = Date.UTC(new Date(now).getUTCFullYear() - 1, 0, 1);
  const to = Date.UTC(new Date(now).getUTCFullYear() + 3, 0, 1);
  return { from, to, years: Array.from({ length: 4 }, (_, index) => new Date(from + 10 * DAY).getUTCFullYear() + index) };
}
