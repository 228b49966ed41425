import type { ListItem, ListTab, MyList } from "../../api/types";
import { type DotState, HOUR, ms, type RowTone, type Tab } from "../../kit";

export const TABS: readonly { id: ListTab; label: string; tone?: "hot" | "bad" }[] = [
  { id: "mine", label: "Mine" },
  { id: "stat", label: "Stat" },
  { id: "due", label: "Due in 1 h", tone: "hot" },
  { id: "late", label: "Past due", tone: "bad" },
  { id: "arriving", label: "Arriving" },
  { id: "drafts", label: "Drafts" },
  { id: "done", label: "Done" },
];

export function tabsOf(counts: MyList["counts"] | undefined): Tab[] {
  return TABS.map((tab) => ({ ...tab, count: counts?.[tab.id] }));
}

export function isTab(value: string | null): value is ListTab {
  return TABS.some((tab) => tab.id === value);
}

/** Somebody else writes this report now; the server names the holder only while there is one. */
export function heldBy(item: ListItem, me: string): string | null {
  return item.opened_by && item.opened_by !== me ? item.opened_by : null;
}

/** A case that was opened and left: next when nothing new waits. */
export function begun(items: readonly ListItem[], me: string): ListItem | null {
  return items.find((item) => item.state === "reading" && !item.hold_reason && heldBy(item, me) === null) ?? null;
}

export function stateOf(item: ListItem, me: string): { dot: DotState; word: string; title?: string } {
  if (item.state === "done") return { dot: "done", word: "Signed" };
  if (item.state === "cancelled") return { dot: "done", word: "Cancelled" };
  if (item.hold_reason) return { dot: "held", word: "On hold", title: item.hold_reason };
  const holder = heldBy(item, me);
  if (holder) return { dot: "reading", word: "Open", title: `${holder} has this case open` };
  if (item.late_images_at) return { dot: "held", word: "New images", title: "Images came after the case was ready" };
  if (item.is_arriving) return { dot: "arriving", word: "Arriving", title: "Images are still coming in" };
  if (item.has_draft) return { dot: "draft", word: "Draft" };
  if (item.state === "reading") return { dot: "reading", word: "Reading" };
  if (item.state === "waiting") return { dot: "waiting", word: "Waiting" };
  return { dot: "ready", word: "Ready" };
}

export function toneOf(item: ListItem, me: string, now: number): RowTone {
  if (item.state === "done" || item.state === "cancelled") return undefined;
  if (item.due_at && ms(item.due_at) < now) return "broken";
  if (item.hold_reason || item.late_images_at || item.is_provisional || item.is_arriving) return "person";
  return heldBy(item, me) ? "away" : undefined;
}

/** What stands at the right of the foot: how many, and how many of them within the hour. */
export function summary(items: readonly ListItem[], now: number): string {
  const open = items.filter((item) => item.state !== "done");
  const soon = open.filter((item) => item.due_at && ms(item.due_at) - now < HOUR).length;
  const images = open.reduce((sum, item) => sum + item.number_of_images, 0);
  const cases = `${items.length} ${items.length === 1 ? "case" : "cases"}`;
  return [cases, soon ? `${soon} due within the hour` : "", images ? `${images.toLocaleString("en-GB")} ${images === 1 ? "image" : "images"}` : ""].filter(Boolean).join(" · ");
}

export const EMPTY: Record<ListTab, { title: string; text: string }> = {
  mine: { title: "Nothing to read", text: "Cases given to you appear here by themselves, the one due first on top. You are offered cases while your shift is open and you have places left." },
  stat: { title: "No urgent case", text: "Trauma, stroke and STAT cases of yours are gathered here." },
  due: { title: "Nothing is due within the hour", text: "Cases whose promise ends within sixty minutes are gathered here." },
  late: { title: "Every promise is kept", text: "A case past its promise stands here in red until it is signed." },
  arriving: { title: "No images are arriving", text: "Urgent cases show here while their images still come in, so that you can begin before the last one." },
  drafts: { title: "No unfinished report", text: "Reports you began and left are kept here, word for word." },
  done: { title: "Nothing signed yet today", text: "What you sign appears here. Open one to add an addendum." },
};

export const HAND_BACK: readonly string[] = ["Outside what I read", "I know this patient", "My shift ends", "Images are not complete"];
