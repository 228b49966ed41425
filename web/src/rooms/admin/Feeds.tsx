import { useState } from "react";
import { useNavigate } from "react-router";
import { api, url } from "../../api/client";
import { Chip } from "../../kit";
import { nameIn, options, renew, useAdminList, useFacilities } from "./data";
import { ListSection } from "./ListSection";
import { type Field, RecordDialog, text, type Values } from "./RecordDialog";
import { Active, Change, CHARSETS, sha256 } from "./Sites";
import type { Endpoint, Facility } from "./types";

export const feedsOf = (list: readonly Endpoint[] | undefined) => list?.filter((one) => one.kind === "hl7_in");

function fields(facilities: readonly Facility[] | undefined, isNew: boolean): Field[] {
  return [
    { name: "facility_id", label: "Facility", kind: "select", required: true, options: options(facilities) },
    { name: "name", label: "Name", required: true, hint: "As coordinators know it" },
    { name: "application", label: "Sending application", required: true, half: true, hint: "MSH-3 of its messages" },
    { name: "facility_name", label: "Sending facility", required: true, half: true, hint: "MSH-4 of its messages" },
    { name: "host", label: "Address", half: true, hint: "An IP address or network it must come from; empty: any" },
    { name: "charset", label: "Character set", kind: "select", required: true, half: true, options: CHARSETS, hint: "Of messages that declare none" },
    { name: "tls_required", label: "Only over TLS", kind: "switch", hint: "What comes without TLS is refused" },
    { name: "certificate_sha256", label: "Its certificate's SHA-256", hint: "The one certificate that it must show; empty: it needs none", check: sha256 },
    {
      name: "order_answer",
      label: "Orders are answered by",
      kind: "select",
      required: true,
      options: [
        { value: "ack", label: "ACK, as IHE has it" },
        { value: "order_response", label: "ORR, ORI or ORG, which can say: unable to cancel" },
      ],
    },
    { name: "repeats_control_ids", label: "Its control ids come again", kind: "switch", hint: "Another message under a known MSH-10 is processed; else it waits for a person" },
    { name: "ignored", label: "Messages without effect here", kind: "tags", hint: "As ADT^A02: acknowledged and kept in the log, nothing else" },
    { name: "takes_files", label: "Takes files too", kind: "switch", hint: "Messages and batches from its folder" },
    { name: "reply_host", label: "Answers go to, host", half: true, hint: "Application acknowledgements of enhanced mode; empty: they stay in the log" },
    { name: "reply_port", label: "Port", kind: "number", half: true },
    ...(isNew ? [] : [{ name: "is_active", label: "Active", kind: "switch" as const, hint: "The messages of a stopped feed are refused" }]),
  ];
}

function bodyOf(values: Values): Values {
  return {
    facility_id: values.facility_id ?? null,
    name: text(values.name),
    application: text(values.application),
    facility_name: text(values.facility_name),
    host: text(values.host),
    charset: values.charset ?? null,
    tls_required: values.tls_required === true,
    certificate_sha256: text(values.certificate_sha256),
    order_answer: values.order_answer ?? null,
    repeats_control_ids: values.repeats_control_ids === true,
    ignored: values.ignored ?? [],
    takes_files: values.takes_files === true,
    reply_host: text(values.reply_host),
    reply_port: values.reply_port ?? null,
  };
}

/** The settings of a feed in a dialog. */
export function FeedDialog({ feed, onClose }: { feed: Endpoint | "new"; onClose: () => void }) {
  const facilities = useFacilities();
  const isNew = feed === "new";
  const only = facilities.data?.length === 1 ? (facilities.data[0]?.id ?? null) : null;
  const { mapping: _mapping, settings: _settings, ...known } = isNew ? ({} as Endpoint) : feed;
  return (
    <RecordDialog
      title={isNew ? "New feed" : feed.name}
      save={isNew ? "Add" : "Save"}
      fields={fields(facilities.data, isNew)}
      start={isNew ? { charset: "UNICODE UTF-8", order_answer: "ack", ignored: [], facility_id: only } : { ...known }}
      onClose={onClose}
      onSave={async (values) => {
        if (isNew) await api.post("/api/admin/endpoints", { ...bodyOf(values), kind: "hl7_in" });
        else await api.patch(url`/api/admin/endpoints/${feed.id}`, { ...bodyOf(values), is_active: values.is_active === true });
        renew("endpoints");
      }}
    />
  );
}

/** Who sends orders and patients, each with its settings; a feed's page has its mapping and a place to try a message. */
export function Feeds() {
  const list = useAdminList<Endpoint>("endpoints");
  const facilities = useFacilities();
  const navigate = useNavigate();
  const [open, setOpen] = useState<Endpoint | "new" | null>(null);
  const differs = (one: Endpoint) => Object.keys(one.mapping).length > 0;
  return (
    <>
      <ListSection<Endpoint>
        id="feeds"
        title="HL7 feeds"
        sub="who sends orders and patients, and where each puts its values"
        query={{ ...list, data: feedsOf(list.data) }}
        rowId={(one) => one.id}
        sort="name"
        onOpen={(one) => void navigate(`/admin/feeds/${one.id}`)}
        add={{ label: "New feed", run: () => setOpen("new") }}
        columns={[
          { id: "name", head: "Name", cell: (one) => <span className="m">{one.name}</span>, sort: (one) => one.name },
          { id: "facility", head: "Facility", width: 160, cell: (one) => nameIn(facilities.data, one.facility_id), sort: (one) => nameIn(facilities.data, one.facility_id) },
          { id: "names", head: "MSH-3, MSH-4", width: 200, cell: (one) => <span className="num q">{`${one.application}, ${one.facility_name}`}</span>, sort: (one) => one.application },
          { id: "host", head: "From", width: 130, cell: (one) => <span className="num q">{one.host ?? "any"}</span>, sort: (one) => one.host },
          { id: "tls", head: "TLS", width: 110, show: "wide", cell: (one) => <span className="q">{one.tls_required ? (one.certificate_sha256 ? "certificate" : "needed") : "not needed"}</span>, sort: (one) => String(one.tls_required) },
          { id: "charset", head: "Characters", width: 130, show: "wide", cell: (one) => <span className="num q">{one.charset}</span> },
          { id: "ignored", head: "Ignores", width: 170, show: "wide", cell: (one) => <span className="num q">{one.ignored.join(", ") || "nothing"}</span> },
          { id: "answer", head: "Answers", width: 116, show: "not-narrow", cell: (one) => <span className="q">{one.order_answer === "ack" ? "ACK" : "ORR, ORI, ORG"}</span>, sort: (one) => one.order_answer },
          { id: "mapping", head: "Values", width: 100, cell: (one) => (differs(one) ? <Chip tone="outline">its own</Chip> : <span className="q">as usual</span>), sort: (one) => String(differs(one)) },
          { id: "active", head: "State", width: 96, cell: (one) => <Active on={one.is_active} />, sort: (one) => String(one.is_active) },
          { id: "change", head: "", width: 84, cell: (one) => <Change onClick={() => setOpen(one)} /> },
        ]}
        empty={{ title: "No feed yet", text: "A site's system that sends orders or patients by HL7 stands here with its names. Sites without one use their page.", icon: "link" }}
      />
      {open && <FeedDialog feed={open} onClose={() => setOpen(null)} />}
    </>
  );
}
