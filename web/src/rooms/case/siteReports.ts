import type { Discrepancy, SiteReport, SiteReportVersion } from "../../api/types";

export const SITE_STATUS: Record<SiteReportVersion["status"], string> = {
  preliminary: "preliminary",
  final: "final",
  corrected: "corrected",
  appended: "addendum",
  withdrawn: "withdrawn",
  cancelled: "cancelled",
};

export const OUTCOMES: Record<NonNullable<Discrepancy["outcome"]>, string> = {
  agrees: "Means the same",
  minor: "Minor difference",
  major: "Major difference",
  superseded: "Overtaken by a newer report",
};

/** What needs a second look is amber. */
export function siteReportTone(report: Pick<SiteReport, "is_withdrawn" | "base">): "amber" | "outline" {
  return report.is_withdrawn || report.base?.status === "corrected" || report.base?.status === "preliminary" ? "amber" : "outline";
}

/** "final, CT Head" for a list. */
export function siteReportName(report: SiteReport): string {
  const status = report.is_withdrawn ? "withdrawn" : report.base ? SITE_STATUS[report.base.status] : "addendum";
  return `${report.description}, ${status}`;
}
