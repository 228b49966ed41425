/** Names, validity and local times of administration, as pure functions. */
import type { Deletable, Deletion, Echo, Role } from "../../api/types";
import { DAY, day, MINUTE, ms, plainDate } from "../../kit/time";
import type { Node, ReaderFacts, Validity } from "./types";

export const ROLE_NAMES: Record<Role, string> = { reader: "Reader", coordinator: "Coordinator", site_staff: "Site staff", administrator: "Administrator", auditor: "Auditor" };

/** What a facility may want its senders told of an object that is held since other content is filed under its UID. */
export const HELD_ANSWERS: Record<string, string> = {
  warning: "A warning (B000): it is kept, and somebody should look",
  success: "Success (0000): its queue goes on, nothing is said",
  failure: "A failure (C010): it is told that the object is not filed",
};

export const KIND_NAMES: Record<string, string> = { clinic: "Clinic", community_hospital: "Community hospital", tertiary_hospital: "Tertiary hospital", imaging_centre: "Imaging centre", telemedicine_provider: "Telemedicine provider", reading_group: "Reading group" };

export const SUBSPECIALTIES = ["body", "breast", "cardiac", "chest", "emergency", "ir", "msk", "neuro", "nuclear", "pediatric", "vascular"] as const;

const regions = new Intl.DisplayNames(["en-GB"], { type: "region" });
const languages = new Intl.DisplayNames(["en-GB"], { type: "language" });

/** "NO" is "Norway", "US-TX" is "United States, TX". */
export function jurisdictionName(code: string): string {
  const [country, ...rest] = code.split("-");
  try {
    const name = regions.of(country ?? code) ?? code;
    return rest.length ? `${name}, ${rest.join("-")}` : name;
  } catch {
    return code;
  }
}

export function languageName(code: string): string {
  try {
    return languages.of(code) ?? code;
  } catch {
    return code;
  }
}

/** Validity is [from, until): people say its last day. */
export function lastDay(until: string | null): string {
  return until === null ? "open" : day(ms(until) - 1, "UTC");
}

/** The last valid day as typed ("2027-03-31") to the instant at which it ends; empty: open. */
export function endOfDay(date: string): string | null {
  return date ? new Date(Date.parse(`${date}T00:00:00Z`) + DAY).toISOString() : null;
}

export function startOfDay(date: string): string {
  return new Date(`${date}T00:00:00Z`).toISOString();
}

/** For a date field: the last valid day. */
export function lastDayField(until: string | null): string {
  return until === null ? "" : new Date(ms(until) - 1).toISOString().slice(0, 10);
}

export const SOON = 100 * DAY;

export type Standing = "valid" | "soon" | "ended" | "stopped" | "coming";

export function standing(one: Validity & { status?: string }, now: number): Standing {
  if (one.status !== undefined && one.status !== "active") return "stopped";
  if (one.valid_until !== null && ms(one.valid_until) <= now) return "ended";
  if (ms(one.valid_from) > now) return "coming";
  return one.valid_until !== null && ms(one.valid_until) - now <= SOON ? "soon" : "valid";
}

/** "ended", "98 d", "open" */
export function leftWords(one: Validity & { status?: string }, now: number): string {
  const how = standing(one, now);
  if (how === "stopped") return one.status ?? "stopped";
  if (how === "ended") return "ended";
  if (how === "coming") return `in ${Math.ceil((ms(one.valid_from) - now) / DAY)} d`;
  return one.valid_until === null ? "open" : `${Math.ceil((ms(one.valid_until) - now) / DAY)} d`;
}

export interface RunsOut {
  key: string;
  at: string | null;
  standing: Standing;
  what: string;
  means: string;
}

/** What has ended, was stopped, or ends within 100 days, the most urgent first. */
export function runsOut(reader: ReaderFacts, now: number): RunsOut[] {
  const found: RunsOut[] = [];
  const add = (key: string, one: Validity & { status?: string }, name: string, means: string) => {
    const how = standing(one, now);
    if (how === "valid" || how === "coming") return;
    const verb = how === "stopped" ? `is ${one.status ?? "stopped"}` : how === "ended" ? "has ended" : "ends";
    found.push({ key, at: one.valid_until, standing: how, what: `${name} ${verb}.`, means });
  };
  for (const one of reader.licences) add(`l${one.id}`, one, `${jurisdictionName(one.jurisdiction)} licence`, `No case from there ${standing(one, now) === "soon" ? "after that day" : "reaches this reader"}.`);
  for (const one of reader.certificates) add(`c${one.id}`, one, `${one.board} certificate`, `It makes the reader one of ${one.subspecialty}.`);
  for (const one of reader.privileges) add(`p${one.id}`, one, `Privilege at ${one.facility_name}`, "The facility decides anew.");
  for (const one of reader.engagements) add(`e${one.id}`, one, `Work for ${one.organization_name}`, "Its cases go to others.");
  return found.sort((a, b) => (a.at ? ms(a.at) : 0) - (b.at ? ms(b.at) : 0));
}

function offsetAt(instant: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }).formatToParts(instant);
  const value = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  return Date.UTC(value("year"), value("month") - 1, value("day"), value("hour"), value("minute"), value("second")) - Math.floor(instant / 1000) * 1000;
}

/** The instant at which clocks of `zone` show this date and time. In the hour that a zone skips: the hour after it. */
export function instantIn(date: string, time: string, zone: string): number {
  const wall = Date.parse(`${date}T${time}:00Z`);
  const first = wall - offsetAt(wall, zone);
  return wall - offsetAt(first, zone);
}

/** Shifts of `days` days from a date, each from one wall time to another; an end not after its beginning is on the next day. */
export function shiftTimes(date: string, from: string, to: string, zone: string, days: number): { starts_at: string; ends_at: string }[] {
  const dayOf = (offset: number) => new Date(Date.parse(`${date}T12:00:00Z`) + offset * DAY).toISOString().slice(0, 10);
  return Array.from({ length: days }, (_, index) => {
    const start = instantIn(dayOf(index), from, zone);
    let end = instantIn(dayOf(index), to, zone);
    if (end <= start) end = instantIn(dayOf(index + 1), to, zone);
    return { starts_at: new Date(start).toISOString(), ends_at: new Date(Math.max(end, start + MINUTE)).toISOString() };
  });
}

export const TLS_WORDS: Record<Node["tls"], string> = { off: "off", on: "encrypted", verify: "verified" };

/** "priors", "sent to", "C-MOVE": what a node is for; one that is for nothing says so. */
export function nodePurposes(node: Pick<Node, "is_queried" | "is_sent_to" | "is_destination">): string[] {
  const found = [...(node.is_queried ? ["priors"] : []), ...(node.is_sent_to ? ["sent to"] : []), ...(node.is_destination ? ["C-MOVE"] : [])];
  return found.length > 0 ? found : ["nothing yet"];
}

const WHY: Record<NonNullable<Echo["why"]>, string> = {
  refused: "refused",
  unknown_host: "unknown host",
  unreachable: "unreachable",
  timed_out: "no answer in time",
  tls: "no TLS",
  rejected: "rejected",
  gone: "hung up",
  failed: "failed",
};

/** How a test of the connection ended, in a word or two; the server's own words tell the rest. */
export function echoWords(echo: Echo): string {
  return echo.is_ok ? `answered in ${Math.max(1, Math.round(echo.seconds * 1000))} ms` : WHY[echo.why ?? "failed"];
}

/** Whether a deletion can be undone, was undone, or its images are gone. */
export function deletionState(one: Pick<Deletion, "restored_at" | "purged_at">): "waits" | "undone" | "gone" {
  if (one.restored_at !== null) return "undone";
  return one.purged_at === null ? "waits" : "gone";
}

/** A study without its patient. */
export function studyLine(study: Pick<Deletable, "study_date" | "modalities">): string {
  return [...study.modalities, study.study_date ? plainDate(study.study_date) : "no date"].join(", ");
}
