/** Destinations of reports by kind: words, forms, and what a form means to the server. Pure. */
import type { Destination, DestinationLine } from "../../api/types";
import type { DotState } from "../../kit";
import type { Field, Value, Values } from "./RecordDialog";
import { text } from "./RecordDialog";
import { CHARSETS } from "./Sites";

export type Kind = "hl7_out" | "dicom_out" | "webhook" | "email" | "folder" | "sftp";
export type SecretName = Destination["secrets"][number]["name"];

export const KINDS: Record<Kind, string> = { hl7_out: "HL7 over MLLP", dicom_out: "DICOM", webhook: "Webhook", email: "E-mail notice", folder: "Folder", sftp: "SFTP" };

/** What is said to each, for the form. */
export const ABOUT: Record<Kind, string> = {
  hl7_out: "The report with its text, codes and PDF as ORU^R01 or MDM, acknowledged by the receiver's own answer.",
  dicom_out: "The report as a DICOM object in each study, to a node by C-STORE or to an address by STOW-RS.",
  webhook: "A signed event with ids and a link. Its receiver checks the signature by the secret, which is given once it is made.",
  email: "A notice with a link and no patient data. The operator sets up the mail server.",
  folder: "The report as an HL7 file and a PDF in a folder of this server, or of a share that is mounted on it.",
  sftp: "The report as an HL7 file and a PDF on a server of yours, whose key is pinned.",
};

export const SECRETS: Partial<Record<Kind, readonly { value: SecretName; label: string }[]>> = {
  webhook: [{ value: "signing", label: "Signing secret" }],
  sftp: [
    { value: "password", label: "Password" },
    { value: "private_key", label: "Private key" },
  ],
};

export const SECRET_WORDS: Record<SecretName, string> = { signing: "Signing secret", password: "Password", private_key: "Private key" };

const isUrl = (value: string) => (/^https?:\/\/[^\s@#]+$/.test(value) ? null : "An address as https://name/path");

const named = (pairs: Record<string, string>) => Object.entries(pairs).map(([value, label]) => ({ value, label }));

/** The form of a kind, after facility and name. `nodes`: the organisation's, for DICOM. */
export function fieldsOf(kind: Kind, nodes: readonly { id: string; name: string }[] = []): Field[] {
  return [...OWN[kind](nodes), { name: "preliminary", label: "Preliminary reports too", kind: "switch", hint: "Else final ones, addenda and corrections alone" }];
}

const OWN: Record<Kind, (nodes: readonly { id: string; name: string }[]) => Field[]> = {
  hl7_out: () => [
    { name: "host", label: "Host", required: true, half: true },
    { name: "port", label: "Port", kind: "number", required: true, half: true },
    { name: "application", label: "Application there", required: true, half: true, hint: "MSH-5" },
    { name: "facility_name", label: "Facility there", required: true, half: true, hint: "MSH-6" },
    { name: "message", label: "Message", kind: "select", required: true, half: true, options: named({ ORU: "ORU^R01", MDM: "MDM^T02" }) },
    { name: "charset", label: "Character set", kind: "select", required: true, half: true, options: CHARSETS },
    { name: "unencodable", label: "Characters that it lacks", kind: "select", required: true, half: true, options: named({ refuse: "Don't send, tell somebody", replace: "Spell otherwise, as oe for ø" }) },
    { name: "study_uid", label: "Study Instance UID", kind: "select", required: true, half: true, options: named({ obx: "In an OBX", zds: "In a ZDS segment", both: "In both", none: "Nowhere" }) },
    { name: "version_in", label: "Version", kind: "select", required: true, half: true, options: named({ "OBX-4": "In OBX-4", NTE: "In an NTE" }) },
    { name: "line_length", label: "Longest line", kind: "number", half: true, hint: "Characters; empty: as written" },
    { name: "pdf", label: "With the PDF", kind: "switch", hint: "As an OBX of type ED" },
    { name: "coded", label: "With coded answers", kind: "switch", hint: "CWE and NM beside the text" },
  ],
  dicom_out: (nodes) => [
    { name: "node_id", label: "DICOM node", kind: "select", half: true, options: nodes.map((node) => ({ value: node.id, label: node.name })), hint: "By C-STORE; or else" },
    { name: "url", label: "STOW-RS address", half: true, hint: "https://name/dicom-web/studies", check: isUrl },
    { name: "objects", label: "Objects", kind: "multi", required: true, options: named({ pdf: "Encapsulated PDF", sr: "Structured report" }) },
  ],
  webhook: () => [
    { name: "url", label: "Address", required: true, hint: "https, and no redirect; private networks only where the operator allowed them", check: isUrl },
    { name: "with_report", label: "With the report itself", kind: "switch", hint: "The event then holds patient data, as an HL7 message; else ids and a link alone" },
  ],
  email: () => [{ name: "recipients", label: "Recipients", kind: "tags", required: true, hint: "Each is told, or none: one that is refused holds the notice" }],
  folder: () => [{ name: "folder", label: "Folder", required: true, hint: "As reports/radiology, below your organisation's folder on the server" }],
  sftp: () => [
    { name: "host", label: "Host", required: true, half: true },
    { name: "port", label: "Port", kind: "number", required: true, half: true },
    { name: "user", label: "User", required: true, half: true },
    { name: "folder", label: "Folder", required: true, half: true, hint: "From where the sign-in lands" },
    { name: "host_key", label: "Its host key", required: true, hint: "As ssh-keygen -lf prints it: SHA256:…", check: (value) => (/^SHA256:[A-Za-z0-9+/]{43}$/.test(value) ? null : "SHA256: and 43 characters") },
  ],
};

export const DEFAULTS: Record<Kind, Values> = {
  hl7_out: { charset: "UNICODE UTF-8", message: "ORU", unencodable: "refuse", study_uid: "obx", version_in: "OBX-4", pdf: true, coded: true },
  dicom_out: { objects: ["pdf"] },
  webhook: { with_report: false },
  email: {},
  folder: { folder: "reports" },
  sftp: { port: 22, folder: "." },
};

const COLUMNS = new Set(["facility_id", "name", "kind", "is_active", "host", "port", "application", "facility_name", "charset"]);

/** What the form holds of a destination. */
export function valuesOf(one: Destination): Values {
  const settings = one.settings as Record<string, Value>;
  return { ...DEFAULTS[one.kind as Kind], ...settings, facility_id: one.facility_id, name: one.name, kind: one.kind, is_active: one.is_active, host: one.host, port: one.port, application: one.application, facility_name: one.facility_name, charset: one.charset };
}

/** The body for the server: columns beside, the kind's own below `settings`. What the form does not know of the settings stays. */
export function bodyOf(kind: Kind, values: Values, before: Record<string, unknown> = {}): Record<string, unknown> {
  const fields = fieldsOf(kind);
  const body: Record<string, unknown> = { facility_id: values.facility_id, name: text(values.name) };
  const settings: Record<string, unknown> = { ...before };
  for (const { name, kind: form } of fields) {
    const value = values[name];
    const clean = form === "switch" ? value === true : typeof value === "string" ? text(value) : (value ?? null);
    if (COLUMNS.has(name)) body[name] = clean;
    else settings[name] = clean;
  }
  return { ...body, settings };
}

/** In a word, how a destination fares. */
export function stateOf(one: Pick<DestinationLine, "is_active" | "fare">): [DotState, string] {
  const { fare } = one;
  if (!one.is_active) return ["arriving", "stopped"];
  if (fare.held + fare.failed > 0) return ["bad", `${fare.held + fare.failed} held or failed`];
  if (fare.queued + fare.sent > 0) return ["waiting", `${fare.queued + fare.sent} under way`];
  return fare.last_success_at ? ["just", "all delivered"] : ["ready", "nothing yet"];
}

/** Seconds as a person says them. */
export function lasting(seconds: number | null): string {
  if (seconds === null) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Where it goes, in a line. */
export function whereTo(one: Destination, nodes: readonly { id: string; name: string }[] = []): string {
  const settings = one.settings as Record<string, unknown>;
  switch (one.kind as Kind) {
    case "email":
      return (settings.recipients as string[]).join(", ");
    case "webhook":
      return String(settings.url);
    case "folder":
      return String(settings.folder);
    case "dicom_out":
      return settings.url ? String(settings.url) : (nodes.find((node) => node.id === settings.node_id)?.name ?? "a node");
    default:
      return `${one.host ?? ""}${one.port ? `:${one.port}` : ""}`;
  }
}
