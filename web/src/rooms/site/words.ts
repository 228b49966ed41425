/** What the site's page shows where, as pure functions. */
import type { SiteRow } from "../../api/types";
import type { RowTone } from "../../kit";

export type SiteTab = "tonight" | "needs" | "unseen" | "orders" | "earlier";

export function rowId(row: SiteRow): string {
  return row.case_id ?? row.study_id ?? row.order_id ?? "";
}

export function isUnseen(row: SiteRow): boolean {
  return row.version !== null && row.acknowledged_at === null;
}

export function isOrderOnly(row: SiteRow): boolean {
  return row.case_id === null && row.study_id === null;
}

const DAY = 86_400_000;

/** Finished and older than a day. */
function isEarlier(row: SiteRow, now: number): boolean {
  return row.acknowledged_at !== null && now - Date.parse(row.acknowledged_at) > DAY;
}

export function inTab(row: SiteRow, tab: SiteTab, now: number): boolean {
  switch (tab) {
    case "tonight":
      return !isOrderOnly(row) && !isEarlier(row, now);
    case "needs":
      return row.steps.attention;
    case "unseen":
      return isUnseen(row);
    case "orders":
      return isOrderOnly(row);
    case "earlier":
      return isEarlier(row, now);
  }
}

/** Reports not yet seen, then what needs somebody, then what is due, then the rest by its last image. */
export function sortRows(rows: readonly SiteRow[]): SiteRow[] {
  const rank = (row: SiteRow) => (isUnseen(row) ? 0 : row.steps.attention ? 1 : row.acknowledged_at === null ? 2 : 3);
  const due = (row: SiteRow) => (row.due_at && row.acknowledged_at === null ? Date.parse(row.due_at) : Infinity);
  const last = (row: SiteRow) => (row.last_image_at ? Date.parse(row.last_image_at) : 0);
  const compare = (a: number, b: number) => (a === b ? 0 : a < b ? -1 : 1);
  return [...rows].sort((a, b) => rank(a) - rank(b) || compare(due(a), due(b)) || last(b) - last(a));
}

/** Being read or waiting and past its time is red; what needs somebody is amber. */
export function toneOf(row: SiteRow, now: number): RowTone {
  if (row.due_at && row.version === null && Date.parse(row.due_at) < now && row.steps.current < 4) return "broken";
  return row.steps.attention ? "person" : undefined;
}

/** How many images will come, as typed; null where it is no such number. */
export function expectedCount(typed: string): number | null {
  const number = Number(typed.trim());
  return Number.isInteger(number) && number >= 1 && number <= 100_000 ? number : null;
}
