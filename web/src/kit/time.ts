/** Times in words and in zones. All instants are UTC ISO strings, epoch milliseconds or Date; zones are IANA names. */

export type Instant = string | number | Date;

/** A zone with the name by which people there know it: {zone: "Europe/Oslo", label: "Norfjord"}. */
export interface Place {
  zone: string;
  label: string;
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export function ms(instant: Instant): number {
  if (typeof instant === "number") return instant;
  if (instant instanceof Date) return instant.getTime();
  const value = Date.parse(instant);
  if (Number.isNaN(value)) throw new RangeError(`not an instant: ${instant}`);
  return value;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function parts(instant: Instant, zone: string): Record<string, string> {
  let formatter = formatters.get(zone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      hourCycle: "h23",
      weekday: "short",
      day: "2-digit",
      month: "short",
      year: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      timeZoneName: "shortOffset",
    });
    formatters.set(zone, formatter);
  }
  const found: Record<string, string> = {};
  for (const part of formatter.formatToParts(ms(instant))) found[part.type] = part.value;
  // Some ICU versions write "Sept": keep three letters everywhere.
  found.month = (found.month ?? "").slice(0, 3);
  return found;
}

/** "02:53" */
export function clock(instant: Instant, zone: string): string {
  const p = parts(instant, zone);
  return `${p.hour}:${p.minute}`;
}

/** "02:53:06" */
export function clockSeconds(instant: Instant, zone: string): string {
  const p = parts(instant, zone);
  return `${p.hour}:${p.minute}:${p.second}`;
}

/** "25 Nov 2026" */
export function day(instant: Instant, zone: string): string {
  const p = parts(instant, zone);
  return `${p.day} ${p.month} ${p.year}`;
}

/** "25 Nov 2026 02:48" */
export function dayClock(instant: Instant, zone: string): string {
  return `${day(instant, zone)} ${clock(instant, zone)}`;
}

/** Today only "02:48", within six days "Tue 02:48", else "18 Nov 02:48", another year "18 Nov 2025 02:48". */
export function near(instant: Instant, zone: string, now: Instant): string {
  const p = parts(instant, zone);
  const n = parts(now, zone);
  const time = `${p.hour}:${p.minute}`;
  if (day(instant, zone) === day(now, zone)) return time;
  if (p.year !== n.year) return `${p.day} ${p.month} ${p.year} ${time}`;
  if (Math.abs(ms(instant) - ms(now)) < 6 * DAY) return `${p.weekday} ${time}`;
  return `${p.day} ${p.month} ${time}`;
}

/** "GMT+2" as "UTC+2". */
export function offset(instant: Instant, zone: string): string {
  const name = parts(instant, zone).timeZoneName ?? "";
  return name === "GMT" ? "UTC" : name.replace("GMT", "UTC");
}

/** "02:53 Norfjord · 12:53 Sydney"; the weekday stands before a time that falls on another day than the first one's. */
export function inPlaces(instant: Instant, places: readonly Place[]): string {
  const first = places[0];
  if (!first) return `${clock(instant, "UTC")} UTC`;
  const home = day(instant, first.zone);
  return places
    .map((place) => {
      const p = parts(instant, place.zone);
      const other = day(instant, place.zone) !== home;
      return `${other ? `${p.weekday} ` : ""}${p.hour}:${p.minute} ${place.label}`;
    })
    .join(" · ");
}

/** The last part of a zone's name, for people: "Australia/Sydney" is "Sydney". */
export function zoneCity(zone: string): string {
  return (zone.split("/").pop() ?? zone).replaceAll("_", " ");
}

/** The time left as number and unit: {sign: "", value: "12", unit: "min", rest: ""}; from two hours "2", "h", "11". */
export function left(span: number): { sign: "" | "−"; value: string; unit: string; rest: string } {
  const sign = span < 0 ? "−" : "";
  const abs = Math.abs(span);
  if (span >= 0 && abs < 5 * MINUTE) {
    const seconds = Math.floor(abs / 1000);
    return { sign, value: `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`, unit: "", rest: "" };
  }
  // Down when time is left, down when it is gone: four minutes and a half late is "−4".
  const minutes = Math.floor(abs / MINUTE);
  if (minutes < 120) return { sign: minutes === 0 && span < 0 ? "−" : sign, value: String(minutes), unit: "min", rest: "" };
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return { sign, value: String(hours), unit: "h", rest: String(minutes % 60).padStart(2, "0") };
  return { sign, value: String(Math.floor(hours / 24)), unit: "d", rest: String(hours % 24).padStart(2, "0") + " h" };
}

/** "12 min", "2 h 11", "9 s", "3 d": how long something has lasted or will last, roughly. */
export function span(duration: number): string {
  const abs = Math.abs(duration);
  if (abs < MINUTE) return `${Math.floor(abs / 1000)} s`;
  const minutes = Math.floor(abs / MINUTE);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${String(minutes % 60).padStart(2, "0")}` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return days < 3 && hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** "in 12 min", "4 min ago", "now" (within five seconds). */
export function relative(instant: Instant, now: Instant): string {
  const distance = ms(instant) - ms(now);
  if (Math.abs(distance) < 5000) return "now";
  return distance > 0 ? `in ${span(distance)}` : `${span(distance)} ago`;
}

/** The exact length of an interval: "0:30", "15:41", "1:02:03", "2 d 01:02:03". */
export function exact(duration: number): string {
  const total = Math.round(Math.abs(duration) / 1000);
  const s = String(total % 60).padStart(2, "0");
  const m = Math.floor(total / 60) % 60;
  const h = Math.floor(total / 3600);
  if (h === 0) return `${m}:${s}`;
  const mm = String(m).padStart(2, "0");
  if (h < 24) return `${h}:${mm}:${s}`;
  return `${Math.floor(h / 24)} d ${String(h % 24).padStart(2, "0")}:${mm}:${s}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A date without a zone ("1958-03-14", also partial "1958-03" or "1958") as "14 Mar 1958". */
export function plainDate(date: string): string {
  const [year, month, dayOfMonth] = date.split("-");
  if (!month) return year ?? date;
  const name = MONTHS[Number(month) - 1] ?? month;
  return dayOfMonth ? `${dayOfMonth} ${name} ${year}` : `${name} ${year}`;
}

/** Age at `at` seen from `zone`: days to four weeks, weeks to three months, months to two years, then years: "5 d", "7 w", "14 mo", "68 y". */
export function age(birthDate: string, at: Instant, zone = "UTC"): string {
  const [by, bm, bd] = birthDate.split("-").map(Number);
  if (!by) return "";
  const p = parts(at, zone);
  const year = Number(p.year);
  const month = MONTHS.indexOf(p.month ?? "") + 1;
  const dayOfMonth = Number(p.day);
  if (!bm || !bd) return `~${year - by} y`;
  const days = Math.round((Date.UTC(year, month - 1, dayOfMonth) - Date.UTC(by, bm - 1, bd)) / DAY);
  if (days < 0) return "";
  if (days < 28) return `${days} d`;
  const months = (year - by) * 12 + (month - bm) - (dayOfMonth < bd ? 1 : 0);
  if (months < 3) return `${Math.floor(days / 7)} w`;
  if (months < 24) return `${months} mo`;
  return `${Math.floor(months / 12)} y`;
}
