import { useState } from "react";
import { api, url } from "../../api/client";
import { useSession } from "../../api/session";
import { Button, clock, MINUTE, StateDot, useNow } from "../../kit";
import { isJurisdiction, nameIn, options, renew, useAdminList, useFacilities, useOrganizations, ZONES } from "./data";
import { ListSection } from "./ListSection";
import { type Field, RecordDialog, text, type Values } from "./RecordDialog";
import type { Caller, Facility, Organization } from "./types";
import { HELD_ANSWERS, jurisdictionName, KIND_NAMES, languageName } from "./words";

export function Active({ on }: { on: boolean }) {
  return on ? <StateDot state="reading">active</StateDot> : <StateDot state="arriving">stopped</StateDot>;
}

export function Organizations() {
  const session = useSession();
  const list = useOrganizations();
  const [adding, setAdding] = useState(false);
  const fields: Field[] = [
    { name: "name", label: "Name", required: true },
    { name: "short_name", label: "Short name", required: true, half: true },
    { name: "slug", label: "Address part", required: true, half: true, hint: "In DICOMweb addresses; can't be changed", check: (value) => (/^[a-z0-9][a-z0-9-]{1,60}$/.test(value) ? null : "Small letters, digits and hyphens") },
    { name: "kind", label: "Kind", kind: "select", required: true, options: Object.entries(KIND_NAMES).map(([value, label]) => ({ value, label })) },
  ];
  return (
    <>
      <ListSection<Organization>
        id="organizations"
        title="Organisations"
        query={list}
        rowId={(one) => one.id}
        sort="name"
        add={session.is_operator ? { label: "New organisation", run: () => setAdding(true) } : undefined}
        columns={[
          { id: "name", head: "Name", cell: (one) => <span className="m">{one.name}</span>, sort: (one) => one.name },
          { id: "short", head: "Short", width: 160, cell: (one) => one.short_name, sort: (one) => one.short_name },
          { id: "kind", head: "Kind", width: 190, cell: (one) => <span className="q">{KIND_NAMES[one.kind] ?? one.kind}</span>, sort: (one) => one.kind },
          { id: "slug", head: "DICOMweb", width: 240, cell: (one) => <span className="mono q">/dicomweb/{one.slug}</span>, sort: (one) => one.slug },
          { id: "active", head: "State", width: 110, cell: (one) => <Active on={one.is_active} />, sort: (one) => String(one.is_active) },
        ]}
        empty={{ title: "No organisation yet", text: "Clients and reading groups stand here. The operator adds them.", icon: "site" }}
      />
      {adding && (
        <RecordDialog
          title="New organisation"
          save="Add"
          fields={fields}
          start={{ kind: "community_hospital" }}
          onClose={() => setAdding(false)}
          onSave={async (values) => {
            await api.post("/api/admin/organizations", values);
            renew("organizations");
          }}
        />
      )}
    </>
  );
}

function facilityFields(organizations: readonly Organization[] | undefined, isNew: boolean): Field[] {
  return [
    ...(isNew ? [{ name: "organization_id", label: "Organisation", kind: "select" as const, required: true, options: options(organizations?.filter((one) => one.kind !== "reading_group")) }] : []),
    { name: "name", label: "Name", required: true },
    { name: "short_name", label: "Short name", required: true, half: true, hint: "Beside times and in lists" },
    { name: "code", label: "Code", required: true, half: true },
    { name: "jurisdiction", label: "Jurisdiction", required: true, half: true, hint: "Decides licences: NO, US-TX, KE", check: isJurisdiction },
    { name: "time_zone", label: "Time zone", kind: "select", required: true, half: true, options: ZONES },
    { name: "report_languages", label: "Languages of reports", kind: "tags", required: true, hint: "As en, nb; the first is preferred" },
    { name: "patient_id_authority", label: "Authority of patient identifiers", required: true, half: true, hint: "For identifiers that come without one" },
    { name: "accession_issuer", label: "Issuer of accession numbers", required: true, half: true },
    { name: "phone", label: "Telephone", half: true, hint: "Coordinators call it when a delivery fails" },
    { name: "quiet_seconds", label: "Quiet seconds", kind: "number", half: true, hint: "A study is complete after so long without images; empty: 90" },
    { name: "fallback_charset", label: "Character set of images that declare none", hint: "As GB18030, ISO_IR 100; empty: unknown. A caller's own goes before it" },
    { name: "is_images_only", label: "Images only", kind: "switch", hint: "No orders come from here: a complete study makes its own case" },
    {
      name: "held_answer",
      label: "Told to a scanner that sends other content under a known UID",
      kind: "select",
      required: true,
      options: Object.entries(HELD_ANSWERS).map(([value, label]) => ({ value, label })),
      hint: "Whatever is told, both stay: the first is read, the other waits in quarantine with an alarm. Some scanners stop their queue on a failure",
    },
    ...(isNew ? [] : [{ name: "is_active", label: "Active", kind: "switch" as const, hint: "A stopped facility sends no images and no orders" }]),
  ];
}

export function Facilities() {
  const now = useNow(MINUTE);
  const list = useFacilities();
  const organizations = useOrganizations();
  const [open, setOpen] = useState<Facility | "new" | null>(null);
  return (
    <>
      <ListSection<Facility>
        id="facilities"
        title="Facilities"
        sub="where images are made; the jurisdiction decides who may read"
        query={list}
        rowId={(one) => one.id}
        sort="name"
        onOpen={setOpen}
        add={{ label: "New facility", run: () => setOpen("new") }}
        columns={[
          { id: "name", head: "Name", cell: (one) => <span className="m">{one.name}</span>, sort: (one) => one.name },
          { id: "organization", head: "Organisation", width: 150, cell: (one) => <span className="q">{nameIn(organizations.data, one.organization_id)}</span>, sort: (one) => nameIn(organizations.data, one.organization_id) },
          { id: "jurisdiction", head: "Jurisdiction", width: 160, cell: (one) => jurisdictionName(one.jurisdiction), sort: (one) => one.jurisdiction },
          { id: "time", head: "Time there", width: 90, cell: (one) => <span className="num q" title={one.time_zone}>{clock(now, one.time_zone)}</span> },
          { id: "languages", head: "Reports in", width: 130, cell: (one) => <span className="q">{one.report_languages.map(languageName).join(", ")}</span> },
          { id: "phone", head: "Telephone", width: 150, show: "wide", cell: (one) => <span className="num q">{one.phone ?? "–"}</span> },
          { id: "authority", head: "Identifiers of", width: 140, show: "wide", cell: (one) => <span className="q">{one.patient_id_authority}</span> },
          { id: "orders", head: "Orders", width: 100, cell: (one) => <span className="q">{one.is_images_only ? "images only" : "yes"}</span> },
          { id: "active", head: "State", width: 96, cell: (one) => <Active on={one.is_active} />, sort: (one) => String(one.is_active) },
          { id: "change", head: "", width: 84, cell: (one) => <Change onClick={() => setOpen(one)} /> },
        ]}
        empty={{ title: "No facility yet", text: "A facility says whose images come, under which law they are read, and in which zone times are shown.", icon: "site" }}
      />
      {open && (
        <RecordDialog
          title={open === "new" ? "New facility" : open.name}
          save={open === "new" ? "Add" : "Save"}
          fields={facilityFields(organizations.data, open === "new")}
          start={open === "new" ? { organization_id: organizations.data?.find((one) => one.kind !== "reading_group")?.id ?? null, report_languages: ["en"], is_images_only: false, held_answer: "warning" } : { ...open }}
          onClose={() => setOpen(null)}
          onSave={async (values) => {
            const body = { ...pick(values, ["code", "name", "short_name", "jurisdiction", "time_zone", "report_languages", "patient_id_authority", "accession_issuer", "quiet_seconds", "is_images_only", "held_answer"]), phone: text(values.phone), fallback_charset: text(values.fallback_charset) };
            if (open === "new") await api.post("/api/admin/facilities", { ...body, organization_id: values.organization_id });
            else await api.patch(url`/api/admin/facilities/${open.id}`, { ...body, is_active: values.is_active });
            renew("facilities");
          }}
        />
      )}
    </>
  );
}

export function Change({ onClick, children = "Change" }: { onClick: () => void; children?: string }) {
  return (
    <Button size="sm" look="quiet" onClick={onClick}>
      {children}
    </Button>
  );
}

export function pick(values: Values, names: readonly string[]): Values {
  return Object.fromEntries(names.map((name) => [name, values[name] ?? null]));
}

export const aeTitle = (value: string) => (value.length > 16 ? "At most 16 characters" : value.includes("\\") ? "No backslash" : null);

export const sha256 = (value: string) => (value === "" || /^[0-9a-f]{64}$/i.test(value.replace(/[\s:]/g, "")) ? null : "64 hexadecimal digits, colons or not");

export function Callers() {
  const list = useAdminList<Caller>("callers");
  const facilities = useFacilities();
  const [open, setOpen] = useState<Caller | "new" | null>(null);
  const isNew = open === "new";
  const fields: Field[] = [
    { name: "facility_id", label: "Facility", kind: "select", required: true, options: options(facilities.data) },
    { name: "calling_ae", label: "Calling AE title", required: true, half: true, hint: "The scanner's or archive's own", check: aeTitle },
    { name: "called_ae", label: "Called AE title", required: true, half: true, hint: "By which it calls us", check: aeTitle },
    { name: "address", label: "Address", half: true, hint: "An IP address or network; empty: any" },
    { name: "description", label: "What it is", half: true },
    { name: "sends_priors", label: "Sends priors", kind: "switch", hint: "An archive: what comes from it is for comparison, needs no order and makes no case" },
    { name: "fallback_charset", label: "Character set of its images that declare none", hint: "As GB18030, ISO_IR 100, ISO 2022 IR 13\\ISO 2022 IR 87; empty: its facility's" },
    { name: "tls_required", label: "Only over TLS", kind: "switch", hint: "A call without TLS is rejected and logged" },
    { name: "certificate_sha256", label: "Its certificate's SHA-256", hint: "The one certificate that it must show; empty: it needs none", check: sha256 },
    ...(isNew ? [] : [{ name: "is_active", label: "Active", kind: "switch" as const, hint: "A stopped caller is rejected and logged" }]),
  ];
  return (
    <>
      <ListSection<Caller>
        id="callers"
        title="DICOM callers"
        sub="who may send images by C-STORE; all others are rejected and logged"
        query={list}
        rowId={(one) => one.id}
        sort="calling"
        onOpen={setOpen}
        add={{ label: "New caller", run: () => setOpen("new") }}
        columns={[
          { id: "calling", head: "Calling AE", width: 180, cell: (one) => <span className="m num">{one.calling_ae}</span>, sort: (one) => one.calling_ae },
          { id: "called", head: "Called AE", width: 180, cell: (one) => <span className="num">{one.called_ae}</span>, sort: (one) => one.called_ae },
          { id: "address", head: "Address", width: 180, cell: (one) => <span className="num q">{one.address ?? "any"}</span>, sort: (one) => one.address },
          { id: "facility", head: "Facility", width: 190, cell: (one) => nameIn(facilities.data, one.facility_id), sort: (one) => nameIn(facilities.data, one.facility_id) },
          { id: "what", head: "What it is", cell: (one) => <span className="q">{[one.description, one.sends_priors ? "sends priors" : null].filter(Boolean).join(", ")}</span>, sort: (one) => one.description },
          { id: "active", head: "State", width: 96, cell: (one) => <Active on={one.is_active} />, sort: (one) => String(one.is_active) },
          { id: "change", head: "", width: 84, cell: (one) => <Change onClick={() => setOpen(one)} /> },
        ]}
        empty={{ title: "No caller is known", text: "Scanners and archives that send by C-STORE stand here with their titles and addresses. Until then every association is rejected.", icon: "images" }}
      />
      {open && (
        <RecordDialog
          title={isNew ? "New caller" : open.calling_ae}
          save={isNew ? "Add" : "Save"}
          fields={fields}
          start={isNew ? { facility_id: facilities.data?.length === 1 ? (facilities.data[0]?.id ?? null) : null } : { ...open }}
          onClose={() => setOpen(null)}
          onSave={async (values) => {
            const body = { facility_id: values.facility_id, called_ae: text(values.called_ae), calling_ae: text(values.calling_ae), address: text(values.address), description: text(values.description), sends_priors: values.sends_priors === true, tls_required: values.tls_required === true, certificate_sha256: text(values.certificate_sha256), fallback_charset: text(values.fallback_charset) };
            if (isNew) await api.post("/api/admin/callers", body);
            else await api.patch(url`/api/admin/callers/${open.id}`, { ...body, is_active: values.is_active });
            renew("callers");
          }}
        />
      )}
    </>
  );
}

export const CHARSETS = ["UNICODE UTF-8", "8859/1", "8859/2", "8859/5", "8859/9", "8859/15", "ASCII"].map((value) => ({ value, label: value }));
