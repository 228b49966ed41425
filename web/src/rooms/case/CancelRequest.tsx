import { useState } from "react";
import { api, queryClient, url } from "../../api/client";
import { hasRole, useSession } from "../../api/session";
import type { OrderBrief } from "../../api/types";
import { Button, Note, ReasonDialog, toast } from "../../kit";

/** The site cancelled an order whose images are here: a coordinator, or the site itself, says what becomes of it. */
export function CancelRequest({ order }: { order: OrderBrief }) {
  const session = useSession();
  const [asking, setAsking] = useState<"keep" | "cancel" | null>(null);
  if (order.status !== "cancel_requested") return null;
  const may = hasRole(session, "coordinator") || hasRole(session, "site_staff");
  const decide = async (keep: boolean, reason: string) => {
    await api.post(url`/api/orders/${order.id}/cancellation`, { keep, reason });
    setAsking(null);
    toast({ tone: "done", text: keep ? "The order goes on" : "The order is cancelled" });
    void queryClient.invalidateQueries({ predicate: (query) => query.meta?.topics?.includes("case") ?? false });
  };
  return (
    <>
      <Note
        tone="red"
        role="alert"
        action={
          may && (
            <span className="row">
              <Button size="sm" onClick={() => setAsking("keep")}>
                Let it go on
              </Button>
              <Button size="sm" look="danger" onClick={() => setAsking("cancel")}>
                Cancel the order
              </Button>
            </span>
          )
        }
      >
        The site cancelled this order after its images came. The images stay; nobody begins to read until it is decided.
      </Note>
      {asking && (
        <ReasonDialog
          title={asking === "keep" ? "Let the order go on" : "Cancel the order"}
          confirm={asking === "keep" ? "Let it go on" : "Cancel the order"}
          danger={asking === "cancel"}
          usual={asking === "keep" ? ["The site wants it read after all"] : ["The site confirmed it by telephone", "Ordered twice"]}
          onClose={() => setAsking(null)}
          onReason={(reason) => decide(asking === "keep", reason)}
        >
          {asking === "cancel" && <p>Reads that are not done end. Images and what was signed stay.</p>}
        </ReasonDialog>
      )}
    </>
  );
}
