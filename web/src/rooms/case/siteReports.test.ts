import { describe, expect, it } from "vitest";
import type { SiteReport, SiteReportVersion } from "../../api/types";
import { siteReportName, siteReportTone } from "./siteReports";

const base: SiteReportVersion = { id: "v", status: "final", author: null, reported_at: null, received_at: "2026-11-25T01:00:00Z", sections: [] };

function report(some: Partial<SiteReport>): SiteReport {
  return { id: "r", facility: "Norfjord", description: "CT Head", accession: null, examined_at: null, is_critical: false, is_withdrawn: false, withdrawn_at: null, base, additions: [], attachments: [], versions: [], ...some };
}

describe("a site's report in a list", () => {
  it("says what stands", () => {
    expect(siteReportName(report({}))).toBe("CT Head, final");
    expect(siteReportName(report({ base: { ...base, status: "corrected" } }))).toBe("CT Head, corrected");
    expect(siteReportName(report({ base: null, is_withdrawn: true }))).toBe("CT Head, withdrawn");
    expect(siteReportName(report({ base: null }))).toBe("CT Head, addendum");
  });
  it("is amber where it needs a second look", () => {
    expect(siteReportTone(report({}))).toBe("outline");
    expect(siteReportTone(report({ base: { ...base, status: "preliminary" } }))).toBe("amber");
    expect(siteReportTone(report({ base: null, is_withdrawn: true }))).toBe("amber");
  });
});
