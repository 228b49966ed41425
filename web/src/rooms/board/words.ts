/** What the board says, as pure functions. */
import type { AlarmBrief, Banner, Board, CaseState } from "../../api/types";
import type { DotState, RowTone } from "../../kit";
import { patientName } from "../../kit/patient";

/** A provisional case may not know its patient yet. */
export type BoardCase = Omit<Board["cases"][number], "patient"> & { patient: Banner | null };
export type BoardDelivery = Board["deliveries"][number];
export type BoardReader = Board["who_is_on"][number];
export type Unmatched = Board["unmatched"][number];

export type CaseFilter = "all" | "nobody" | "arriving";

const STATES: Record<CaseState, [DotState, string]> = {
  arriving: ["arriving", "Arriving"],
  ready: ["ready", "Ready"],
  assigned: ["assigned", "Assigned"],
  reading: ["reading", "Reading"],
  signed: ["done", "Signed"],
  delivered: ["done", "Delivered"],
  acknowledged: ["done", "Seen"],
  cancelled: ["done", "Cancelled"],
  no_reader: ["held", "No reader"],
};

/** Ready without a reader needs a person, unless images still come. */
export function lacksReader(item: BoardCase): boolean {
  return item.case_state === "no_reader" || (item.reader === null && item.no_reader_reasons !== null);
}

export function stateOf(item: BoardCase): [DotState, string] {
  if (lacksReader(item)) return STATES.no_reader;
  if (item.is_arriving && (item.case_state === "arriving" || item.case_state === "ready")) return STATES.arriving;
  if (item.has_draft && item.case_state !== "reading") return ["draft", "Draft"];
  return STATES[item.case_state] ?? STATES.ready;
}

export function isOpen(item: BoardCase): boolean {
  return item.state !== "done" && item.state !== "cancelled";
}

export function toneOf(item: BoardCase, now: number): RowTone {
  if (item.due_at && isOpen(item) && Date.parse(item.due_at) < now) return "broken";
  if (lacksReader(item) || item.late_images_at) return "person";
  return undefined;
}

export function passes(item: BoardCase, filter: CaseFilter): boolean {
  return filter === "all" || (filter === "nobody" ? lacksReader(item) : item.is_arriving || item.case_state === "arriving");
}

const CHANNELS: Record<string, string> = { hl7: "HL7", archive: "archive", page: "site's page" };

export function channelName(channel: string): string {
  return CHANNELS[channel] ?? channel;
}

/** What happened to a delivery, in one sentence. */
export function deliveryTitle(delivery: Pick<BoardDelivery, "state" | "acknowledgement_code" | "attempts" | "channel" | "last_error" | "destination">, site: string): string {
  const code = delivery.acknowledgement_code;
  if (isRefusal(code)) return `${site} refused the message (${code})`;
  if (delivery.state === "held") return `Held back for ${site}`;
  if (delivery.channel === "archive") return "The PDF was not stored in the archive";
  if (delivery.state === "sent") return `${site} has not answered yet`;
  if (delivery.attempts === 0) return `Waits to go to ${site}`;
  return `${site} did not answer, ${delivery.attempts === 1 ? "once" : `${delivery.attempts} tries`}`;
}

/** Red: stopped until a person acts. Amber: goes on by itself. */
export function isStuck(delivery: Pick<BoardDelivery, "state" | "acknowledgement_code">): boolean {
  return delivery.state === "failed" || (delivery.state === "held" && isRefusal(delivery.acknowledgement_code));
}

function isRefusal(code: string | null): boolean {
  return code === "AE" || code === "AR";
}

/** A report that was held before any try waits for its order: sending it again is no way on. */
export function mayRetry(delivery: Pick<BoardDelivery, "state" | "attempts">): boolean {
  return !(delivery.state === "held" && delivery.attempts === 0);
}

/** How all of them stand: "2 stopped", or that they go on by themselves. */
export function deliveriesStand(deliveries: readonly Pick<BoardDelivery, "state" | "acknowledgement_code">[]): string {
  const stuck = deliveries.filter(isStuck).length;
  if (stuck > 0) return `${stuck} stopped`;
  return deliveries.length > 0 && deliveries.every((one) => one.state === "queued" || one.state === "sent") ? "retried by themselves" : "";
}

const ALARMS: Record<string, string> = {
  no_reader: "No reader",
  late_images: "Late images",
  unmatched_study: "Unmatched study",
  delivery_failed: "Delivery",
  report_unacknowledged: "Not seen by the site",
  promise_broken: "Promise broken",
  cancel_requested: "Cancelled by the site",
  held_objects: "Quarantine",
  quarantine_full: "Quarantine full",
  held_messages: "Messages held",
  refused_file: "File refused",
  question_unanswered: "Site has not answered",
  identity_doubt: "Patient in doubt",
  identity_changed: "Patient changed",
  discrepancy: "Site concludes otherwise",
  held_report: "Report of a site waits",
  images_left: "Report and images part",
};

/** Where an alarm is dealt with. */
export function alarmPlace(alarm: Pick<AlarmBrief, "kind" | "case_id" | "study_id">): string | null {
  if (alarm.case_id) return `/case/${alarm.case_id}`;
  // A question about a study is on the board itself; what was asked about anything else without a case is in quarantine.
  if (alarm.kind === "question_unanswered") return alarm.study_id ? null : "/quarantine";
  if (alarm.kind === "identity_doubt" || alarm.kind === "held_report") return "/patients";
  if (alarm.kind === "held_messages" || alarm.kind === "refused_file") return "/messages";
  return alarm.kind === "held_objects" || alarm.kind === "quarantine_full" ? "/quarantine" : null;
}


export function alarmName(kind: string): string {
  const plain = kind.replaceAll("_", " ");
  return ALARMS[kind] ?? plain.charAt(0).toUpperCase() + plain.slice(1);
}

/** "HAUGLAND, Ingrid Marie", or what stands for it while nobody knows. */
export function nameOf(patient: Banner | null): string {
  return patient ? patientName(patient) : "not matched yet";
}

/** Not yet seen first, then the newest. */
export function sortAlarms(alarms: readonly AlarmBrief[]): AlarmBrief[] {
  return [...alarms].sort((a, b) => Number(a.seen_by !== null) - Number(b.seen_by !== null) || Date.parse(b.raised_at) - Date.parse(a.raised_at));
}

export interface Hub {
  name: string;
  zone: string;
  readers: BoardReader[];
  waiting: number;
  reading: number;
}

/** Readers by where they sit, each with what waits for them now; who said no place comes last. */
export function hubs(readers: readonly BoardReader[], cases: readonly BoardCase[]): Hub[] {
  const found = new Map<string, Hub>();
  const of = new Map<string, Hub>();
  for (const reader of readers) {
    const name = reader.place ?? "Place not said";
    const hub = found.get(name) ?? { name, zone: reader.time_zone ?? "UTC", readers: [], waiting: 0, reading: 0 };
    hub.readers.push(reader);
    found.set(name, hub);
    of.set(reader.reader_id, hub);
  }
  for (const item of cases) {
    const hub = item.reader && of.get(item.reader.id);
    if (!hub || !isOpen(item)) continue;
    if (item.state === "reading") hub.reading += 1;
    else hub.waiting += 1;
  }
  return [...found.values()].sort((a, b) => Number(a.name === "Place not said") - Number(b.name === "Place not said") || b.readers.length - a.readers.length || a.name.localeCompare(b.name));
}

/** On at `now`. */
export function isOn(reader: Pick<BoardReader, "shift_starts_at" | "shift_ends_at">, now: number): boolean {
  if (!reader.shift_ends_at || Date.parse(reader.shift_ends_at) <= now) return false;
  return !reader.shift_starts_at || Date.parse(reader.shift_starts_at) <= now;
}

/** "Dr I. Tarrant": room for a table's cell. */
export function shortReader(name: string): string {
  const [title, first, ...rest] = name.split(" ");
  return title && /^(Dr|Prof)\.?$/i.test(title) && first && rest.length ? `${title} ${first[0]}. ${rest.join(" ")}` : name;
}

/** "1 image", "96 images" */
export function imageCount(number: number): string {
  return `${number.toLocaleString("en-GB")} ${number === 1 ? "image" : "images"}`;
}
