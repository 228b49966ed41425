import { useState } from "react";
import type { SiteReport } from "../../api/types";
import { dayClock, IconButton } from "../../kit";
import { Told, useSiteReports } from "../case/SiteReports";
import { siteReportName } from "../case/siteReports";

/** Reports that the site sent, of this examination and of earlier ones: read beside the images, under the priors. */
export function SiteReportList({ caseId, zone }: { caseId: string; zone: string }) {
  const [open, setOpen] = useState<string | null>(null);
  const found = useSiteReports(caseId);
  const all: SiteReport[] = found.data ? [...found.data.own, ...found.data.priors] : [];
  if (all.length === 0) return null;
  const shown = all.find((one) => one.id === open);
  return (
    <>
      <div className="ph" style={{ borderTop: "1px solid var(--line)" }}>
        <h2>Reports of the site</h2>
        <span className="cnt">{all.length}</span>
      </div>
      <div className="scroll sir-l">
        {all.map((one) => (
          <button type="button" key={one.id} aria-pressed={open === one.id} onClick={() => setOpen(open === one.id ? null : one.id)} title={siteReportName(one)}>
            <span className={one.is_critical ? "red" : undefined}>{siteReportName(one)}</span> <span className="q num">{dayClock(one.versions[0]?.reported_at ?? one.versions[0]?.received_at ?? "", zone)}</span>
          </button>
        ))}
      </div>
      {shown && (
        <section className="pr-rep scroll" aria-label="Report of the site">
          <div className="row sp">
            <span className="caps">Report of the site</span>
            <IconButton label="Close" icon="cross" size="sm" onClick={() => setOpen(null)} />
          </div>
          <Told report={shown} place={{ zone, label: "" }} />
        </section>
      )}
    </>
  );
}
