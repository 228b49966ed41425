import { useEffect, useRef, useState } from "react";
import type { CaseDetail } from "../../api/types";
import { Button, clock, Note, PRIORITIES, PriorityMark, priorityOf, priorityRank, toast } from "../../kit";

/** What the site changes while somebody reads: another priority, a cancellation. Said once, loudly, and kept in sight. */
export function SiteNotices({ detail, opened, zone }: { detail: CaseDetail; /** The priority when this page was opened. */ opened: string; zone: string }) {
  const [known, setKnown] = useState(opened);
  const said = useRef(opened);
  const changed = detail.priority !== known;
  const sooner = priorityRank(detail.priority) < priorityRank(known);
  const name = (code: string) => PRIORITIES[priorityOf(code)].label;
  const words = `${name(known)} became ${name(detail.priority)}`;
  useEffect(() => {
    if (said.current === detail.priority) return;
    said.current = detail.priority;
    if (changed) toast({ tone: sooner ? "warn" : undefined, text: `The site changed the priority: ${words}` });
  }, [detail.priority, changed, sooner, words]);
  const asked = detail.orders.some((order) => order.status === "cancel_requested") && detail.state !== "cancelled";
  return (
    <>
      {changed && (
        <div className="strip">
          <Note
            tone={sooner ? "red" : "amber"}
            role="alert"
            action={
              <Button size="sm" onClick={() => setKnown(detail.priority)}>
                Seen
              </Button>
            }
          >
            <span className="row">
              <PriorityMark priority={detail.priority} />
              <span>
                <b>The site changed the priority: {words}.</b>
                {detail.due_at && (
                  <>
                    {" "}
                    Due <span className="num">{clock(detail.due_at, zone)}</span>.
                  </>
                )}
              </span>
            </span>
          </Note>
        </div>
      )}
      {asked && (
        <div className="strip">
          <Note tone="red" role="alert">
            <b>The site wants to cancel this order.</b> The coordinators decide; what you have written is kept.
          </Note>
        </div>
      )}
    </>
  );
}
