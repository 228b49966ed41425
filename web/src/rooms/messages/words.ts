import type { MessageBrief } from "../../api/types";
import type { DotState } from "../../kit";

export type Fate = MessageBrief["fate"];

const FATES: Record<Fate, [DotState, string]> = {
  received: ["arriving", "Taken, not processed yet"],
  processed: ["done", "Processed"],
  duplicate: ["done", "Repeat, answered again"],
  ignored: ["arriving", "Not for us"],
  held: ["held", "Held for a person"],
  rejected: ["bad", "Refused"],
  due: ["arriving", "Being sent"],
  sent: ["done", "Sent"],
  no_answer: ["held", "No answer"],
  not_sent: ["held", "Nowhere to send it"],
};

export function fateOf(fate: string): [DotState, string] {
  return (FATES as Record<string, [DotState, string]>)[fate] ?? ["done", fate];
}

/** What a person should look at. */
export const TROUBLE: readonly Fate[] = ["held", "rejected", "no_answer", "not_sent"];

export const FATE_OPTIONS = Object.entries(FATES).map(([value, [, label]]) => ({ value, label }));

export interface Wanted {
  direction: string | null;
  trouble: boolean;
  fate: string | null;
  endpoint: string | null;
  type: string;
  control: string;
  order: string | null;
  since: string | null;
  until: string | null;
}

/** What is looked for, as it stands in the page's address. */
export function wantedOf(params: URLSearchParams): Wanted {
  const way = params.get("way");
  return {
    direction: way === "in" || way === "out" ? way : null,
    trouble: way === "trouble",
    fate: params.get("fate"),
    endpoint: params.get("endpoint"),
    type: params.get("type") ?? "",
    control: params.get("control") ?? "",
    order: params.get("order"),
    since: params.get("since"),
    until: params.get("until"),
  };
}

/** A typed local time of the reader's clock, as the server takes it; null where it is none. */
export function instant(local: string | null): string | null {
  if (!local) return null;
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

/** The query of the search. */
export function queryOf(wanted: Wanted, limit: number, after: string | null): string {
  const query = new URLSearchParams({ limit: String(limit) });
  if (wanted.direction) query.set("direction", wanted.direction);
  for (const fate of wanted.trouble ? TROUBLE : wanted.fate ? [wanted.fate] : []) query.append("fate", fate);
  if (wanted.endpoint) query.set("endpoint_id", wanted.endpoint);
  if (wanted.type.trim()) query.set("type", wanted.type.trim().toUpperCase());
  if (wanted.control.trim()) query.set("control_id", wanted.control.trim());
  if (wanted.order) query.set("order_id", wanted.order);
  const since = instant(wanted.since);
  const until = instant(wanted.until);
  if (since) query.set("since", since);
  if (until) query.set("until", until);
  if (after) query.set("after", after);
  return query.toString();
}

export function isNarrowed(wanted: Wanted): boolean {
  return Object.values(wanted).some((value) => value !== null && value !== false && value !== "");
}

export function bytes(size: number): string {
  return size < 1024 ? `${size} bytes` : size < 1024 * 1024 ? `${(size / 1024).toFixed(1)} KiB` : `${(size / 1024 / 1024).toFixed(1)} MiB`;
}

/** A long value, as of an embedded PDF, cut for the eye; the file has it whole. */
export function shortened(value: string, most = 600): string {
  return value.length > most ? `${value.slice(0, most)} … ${value.length - most} more characters are in the file` : value;
}
