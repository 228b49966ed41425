import { useState } from "react";
import { api, url } from "../../api/client";
import type { Echo } from "../../api/types";
import { Button, Chip, StateDot } from "../../kit";
import { nameIn, options, renew, useAdminList, useFacilities } from "./data";
import { ListSection } from "./ListSection";
import { type Field, RecordDialog, text } from "./RecordDialog";
import { Active, aeTitle, Change, pick } from "./Sites";
import type { Node } from "./types";
import { echoWords, nodePurposes, TLS_WORDS } from "./words";

type Tried = Echo | "busy" | { failure: string };

function Connection({ node, tried, run }: { node: Node; tried: Tried | undefined; run: () => void }) {
  const found = tried === "busy" ? undefined : tried;
  const words = found === undefined ? null : "failure" in found ? found.failure : found.is_ok ? null : found.words;
  return (
    <span className="row" style={{ gap: 10 }}>
      <Button size="sm" busy={tried === "busy"} aria-label={`Test the connection to ${node.name}`} onClick={run}>
        Test
      </Button>
      <span role="status" className="row grow" style={{ gap: 10, minWidth: 0 }} title={words ?? undefined}>
        {found && <StateDot state={"is_ok" in found && found.is_ok ? "just" : "bad"}>{"failure" in found ? "not tried" : echoWords(found)}</StateDot>}
        {words && <span className="q cut">{words}</span>}
      </span>
    </span>
  );
}

/** Archives and workstations that we call: for priors, for studies that are sent, as destinations of C-MOVE. */
export function Nodes() {
  const list = useAdminList<Node>("nodes");
  const facilities = useFacilities();
  const [open, setOpen] = useState<Node | "new" | null>(null);
  const [tried, setTried] = useState<Record<string, Tried>>({});
  const isNew = open === "new";
  const test = async (node: Node) => {
    setTried((before) => ({ ...before, [node.id]: "busy" }));
    let found: Tried;
    try {
      found = await api.post<Echo>(url`/api/admin/nodes/${node.id}/echo`, {});
    } catch (error) {
      found = { failure: error instanceof Error ? error.message : "It was not tried" };
    }
    setTried((before) => ({ ...before, [node.id]: found }));
  };
  const fields: Field[] = [
    { name: "name", label: "Name", required: true, hint: "As coordinators know it" },
    { name: "ae_title", label: "Its AE title", required: true, half: true, check: aeTitle },
    { name: "calling_ae", label: "Our AE title", required: true, half: true, hint: "By which it knows us, and sends to us", check: aeTitle },
    { name: "host", label: "Host", required: true, half: true, hint: "A name or an IP address" },
    { name: "port", label: "Port", kind: "number", required: true, half: true },
    { name: "tls", label: "TLS", kind: "select", required: true, half: true, options: Object.entries(TLS_WORDS).map(([value, label]) => ({ value, label })) },
    { name: "facility_id", label: "Facility", kind: "select", required: true, half: true, hint: "Whose patient identifiers it knows; priors are filed there", options: options(facilities.data) },
    { name: "is_queried", label: "Priors are fetched from it", kind: "switch", hint: "By C-GET where it does that, else by C-MOVE: it must then also be a caller that sends priors" },
    { name: "is_sent_to", label: "Studies are sent to it", kind: "switch", hint: "When a coordinator asks for it" },
    { name: "is_destination", label: "C-MOVE destination", kind: "switch", hint: "Callers of the organisation may have us send to it" },
    ...(isNew ? [] : [{ name: "is_active", label: "Active", kind: "switch" as const, hint: "A stopped node is not called" }]),
  ];
  return (
    <>
      <ListSection<Node>
        id="nodes"
        title="DICOM nodes"
        sub="whom we call: for priors, and to send studies"
        query={list}
        rowId={(one) => one.id}
        sort="name"
        onOpen={setOpen}
        add={{ label: "New node", run: () => setOpen("new") }}
        columns={[
          { id: "name", head: "Name", width: 170, cell: (one) => <span className="m">{one.name}</span>, sort: (one) => one.name },
          { id: "ae", head: "AE title", width: 120, cell: (one) => <span className="num">{one.ae_title}</span>, sort: (one) => one.ae_title },
          { id: "host", head: "Host, port", width: 210, cell: (one) => <span className="num q">{`${one.host}:${one.port}`}</span>, sort: (one) => one.host },
          { id: "ours", head: "We are", width: 130, show: "wide", cell: (one) => <span className="num q">{one.calling_ae}</span>, sort: (one) => one.calling_ae },
          { id: "tls", head: "TLS", width: 104, show: "wide", cell: (one) => <span className="q">{TLS_WORDS[one.tls]}</span>, sort: (one) => one.tls },
          { id: "facility", head: "Facility", width: 130, show: "wide", cell: (one) => <span className="q">{nameIn(facilities.data, one.facility_id)}</span>, sort: (one) => nameIn(facilities.data, one.facility_id) },
          {
            id: "for",
            head: "For",
            width: 196,
            cell: (one) => (
              <span className="row" style={{ gap: 4 }}>
                {nodePurposes(one).map((word) => (
                  <Chip key={word} tone="outline">
                    {word}
                  </Chip>
                ))}
              </span>
            ),
          },
          { id: "connection", head: "Connection", cell: (one) => <Connection node={one} tried={tried[one.id]} run={() => void test(one)} /> },
          { id: "active", head: "State", width: 96, cell: (one) => <Active on={one.is_active} />, sort: (one) => String(one.is_active) },
          { id: "change", head: "", width: 84, cell: (one) => <Change onClick={() => setOpen(one)} /> },
        ]}
        empty={{ title: "No DICOM node yet", text: "An archive that holds earlier studies, or a workstation that wants ours. Once it is here, coordinators fetch priors from it and send studies to it.", icon: "handback" }}
      />
      {open && (
        <RecordDialog
          title={isNew ? "New DICOM node" : open.name}
          save={isNew ? "Add" : "Save"}
          fields={fields}
          start={isNew ? { tls: "off", port: 104, is_queried: true, is_sent_to: false, is_destination: false, facility_id: facilities.data?.length === 1 ? (facilities.data[0]?.id ?? null) : null } : { ...open }}
          onClose={() => setOpen(null)}
          onSave={async (values) => {
            const body = { ...pick(values, ["facility_id", "port", "tls", "is_queried", "is_sent_to", "is_destination"]), name: text(values.name), ae_title: text(values.ae_title), calling_ae: text(values.calling_ae), host: text(values.host) };
            if (isNew) await api.post("/api/admin/nodes", { ...body, organization_id: facilities.data?.find((one) => one.id === values.facility_id)?.organization_id });
            else {
              await api.patch(url`/api/admin/nodes/${open.id}`, { ...body, is_active: values.is_active });
              setTried((before) => Object.fromEntries(Object.entries(before).filter(([id]) => id !== open.id)));
            }
            renew("nodes");
          }}
        />
      )}
    </>
  );
}
