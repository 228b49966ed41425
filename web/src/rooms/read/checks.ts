import type { ViewerSeries } from "../../../viewer/protocol";
import type { ReportCheck } from "../../api/types";

export type CheckAction = { kind: "go"; field: string } | { kind: "series"; uid: string } | { kind: "images" };

export interface ShownCheck extends ReportCheck {
  action?: CheckAction;
}

/** Series of this exam that were opened and not scrolled to the end, or never looked at. Only asks: a scout may be left. */
export function unseenSeries(series: readonly ViewerSeries[]): ShownCheck[] {
  return series
    .filter((one) => !one.prior && one.slices > 1 && one.seen < one.slices)
    .map((one) => {
      const name = `Series ${one.number ?? ""}${one.description ? `, ${one.description}` : ""}`.replace(/\s+,/, ",");
      const text = one.seen === 0 ? `${name}. Not opened (${one.slices} images).` : `${name}. ${one.slices - one.seen} of ${one.slices} images not scrolled through.`;
      return { id: `unseen-${one.uid}`, level: "ask", text, action: { kind: "series", uid: one.uid } };
    });
}

/**
 * Whether the pictures on the screen belong to this report. `shown` is null until the viewer has told.
 * "wrong": something of neither this exam nor its priors is on the screen, or a study of another patient's order.
 */
export function pictureOf(shown: readonly string[] | null, studies: readonly string[], priors: readonly string[]): "unknown" | "right" | "only-priors" | "wrong" {
  if (shown === null || shown.length === 0) return "unknown";
  if (shown.some((uid) => !studies.includes(uid) && !priors.includes(uid))) return "wrong";
  return shown.some((uid) => studies.includes(uid)) ? "right" : "only-priors";
}

const EMPTY = / is (?:not filled in|empty)\.$/;

/** What is merely empty is told in one line, each with its way there; everything else has a line of its own. */
export function gathered(checks: readonly ShownCheck[]): { empty: { name: string; check: ShownCheck }[]; lines: ShownCheck[] } {
  const empty = checks.filter((one) => one.level === "stop" && one.action?.kind === "go" && EMPTY.test(one.text));
  if (empty.length < 2) return { empty: [], lines: [...checks] };
  return { empty: empty.map((check) => ({ name: check.text.replace(EMPTY, ""), check })), lines: checks.filter((one) => !empty.includes(one)) };
}

/** Server's checks and ours, what stops first. */
export function allChecks(server: readonly ReportCheck[], series: readonly ViewerSeries[], picture: ReturnType<typeof pictureOf>): ShownCheck[] {
  const own: ShownCheck[] = picture === "wrong" ? [{ id: "wrong-study", level: "stop", text: "The images on the screen are not of this report's patient and exam.", action: { kind: "images" } }] : [];
  const told = server.map((one): ShownCheck => ({ ...one, action: one.id === "new-images" || one.id.startsWith("images-disagree") ? { kind: "images" } : one.field ? { kind: "go", field: one.field } : undefined }));
  return [...own, ...told, ...unseenSeries(series)].sort((a, b) => Number(b.level === "stop") - Number(a.level === "stop"));
}
