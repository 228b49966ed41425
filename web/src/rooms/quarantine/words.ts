import type { HeldDetail, QuarantineRoom } from "../../api/types";

export const WHY: Record<string, string> = {
  correction: "Same picture, put right",
  different_content: "Other content under a filed UID",
  bad_identity: "Its UIDs can't be right",
  unreadable: "Can't be read",
  held_before: "Was held when the index was lost",
};

/** What a person should make of it, in a sentence or two. */
export function whatItMeans(one: Pick<HeldDetail, "reason" | "same_pixels" | "differences">): string {
  if (one.reason === "unreadable") return "What came is no DICOM object that can be read: cut off on its way, or another kind of file. Ask the site to send it again; try again if the file is whole.";
  if (one.reason === "bad_identity") return "A UID is missing, wrong, or already filed in another series. It would be unclear which study it belongs to.";
  if (one.reason === "held_before") return "The index was made anew from the objects, and why this one was held is not known any more. As far as its bytes tell it could be filed: try again.";
  if (one.reason === "correction") return "The same picture came again under other attributes of patient or study: the site has probably corrected them. Accept takes them for the whole study; the images stay as they were stored and say so on their way out.";
  if (one.same_pixels === true) return "The same picture came with other words: the site has probably corrected them. What was filed first stays and is what is read.";
  return "Another picture came under the same UID. What was filed first stays and is what is read.";
}

export function tagOf(tag: string): string {
  return `(${tag.slice(0, 4)},${tag.slice(4)})`;
}

export function bytes(length: number): string {
  if (length < 1024) return `${length} B`;
  const units = ["KiB", "MiB", "GiB"];
  let size = length / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${units[unit] ?? "GiB"}`;
}

/** From this part of a bound on it is time to act. */
const NEAR = 0.8;

export interface Fullness {
  words: string;
  /** `near`: soon what can't be read is refused without being kept; `full`: it is now. */
  state: "room" | "near" | "full";
}

/** How full the fullest quarantine is, by size or by number, whichever is nearer its bound; null: there is none. */
export function fullness(rooms: readonly QuarantineRoom[]): Fullness | null {
  const shares = rooms.map((room) => ({ room, share: Math.max(part(room.size, room.most_size), part(room.objects, room.most_objects)) }));
  shares.sort((a, b) => b.share - a.share);
  const first = shares[0];
  if (!first) return null;
  const { room, share } = first;
  const whose = rooms.length > 1 && share > 0 ? `${room.organization_name}: ` : "";
  return {
    words: `${whose}${megabytes(room.size)} of ${megabytes(room.most_size)} MB kept, ${room.objects} of ${room.most_objects} objects`,
    state: share >= 1 ? "full" : share >= NEAR ? "near" : "room",
  };
}

function part(kept: number, most: number): number {
  return most > 0 ? kept / most : 1;
}

/** Mebibytes, as the setting counts them; what is there is never shown as none. */
function megabytes(size: number): string {
  const whole = size / 1024 ** 2;
  return whole > 0 && whole < 1 ? "<1" : String(Math.round(whole));
}
