import type { HiddenImages, RejectionKind, ShownImage } from "../../api/types";

export const KINDS: Record<RejectionKind, string> = {
  quality: "Quality",
  safety: "Patient safety",
  worklist: "Wrong worklist entry",
  retention: "Kept long enough",
};

export function kindWords(kind: string): string {
  return kind === "deletion" ? "To be deleted" : (KINDS[kind as RejectionKind] ?? kind);
}

export function images(number: number): string {
  return `${number} image${number === 1 ? "" : "s"}`;
}

/** Whether something is hidden by it now. */
export function isInForce(one: Pick<HiddenImages, "restored_at" | "purged_at">): boolean {
  return one.restored_at === null && one.purged_at === null;
}

/** Who or what hides. */
export function hiddenBy(one: { is_by_note: boolean; by: string | null; sender?: string | null }): string {
  if (one.is_by_note) return one.sender ? `a note from ${one.sender}` : "a note of the site";
  return one.by ?? "somebody";
}

/** The numbers that were typed, as "3, 7-12"; null where something is no number, or a range runs backwards. */
export function numbersIn(text: string): { from: number; to: number }[] | null {
  const parts = text.split(/[,;\s]+/).filter(Boolean);
  const ranges: { from: number; to: number }[] = [];
  for (const part of parts) {
    const found = /^(\d{1,9})(?:[-–](\d{1,9}))?$/.exec(part);
    if (!found) return null;
    const from = Number(found[1]);
    const to = found[2] === undefined ? from : Number(found[2]);
    if (to < from) return null;
    ranges.push({ from, to });
  }
  return ranges;
}

/** The images whose number was typed. */
export function namedImages(list: readonly ShownImage[], text: string): ShownImage[] {
  const ranges = numbersIn(text) ?? [];
  return list.filter((one) => one.number !== null && ranges.some((range) => one.number !== null && one.number >= range.from && one.number <= range.to));
}
