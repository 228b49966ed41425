import { Menu } from "@mantine/core";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, queryClient, url } from "../../api/client";
import { hasRole, useSession } from "../../api/session";
import type { CaseDetail } from "../../api/types";
import { Button, Icon, patientName, ReasonDialog, toast, useKeys } from "../../kit";
import { ReassignDialog } from "../board/ReassignDialog";
import { useNodes } from "../transfers/data";
import { FetchPriorsDialog, SendStudyDialog } from "../transfers/dialogs";

type Asking = "reassign" | "hold" | "addendum" | "priors" | "send" | null;

function renew(): void {
  void queryClient.invalidateQueries({ predicate: (query) => query.meta?.topics?.includes("case") ?? false });
}

/** What a coordinator, or the case's reader, can do with a case. */
export function Actions({ detail, held }: { detail: CaseDetail; held: boolean }) {
  const session = useSession();
  const navigate = useNavigate();
  const [asking, setAsking] = useState<Asking>(null);
  const coordinator = hasRole(session, "coordinator");
  const mine = session.reader !== null && detail.reads.some((read) => read.reader?.id === session.reader?.id);
  const open = detail.reads.find((read) => read.state === "assigned" || read.state === "ready" || read.state === "waiting");
  const steerable = coordinator && detail.closed_at === null;
  const canGive = steerable && open !== undefined;
  const signed = detail.versions.length > 0;
  const canAdd = signed && (coordinator || mine) && !detail.reads.some((read) => read.kind === "addendum" && read.state !== "done" && read.state !== "cancelled");
  const transfers = coordinator || hasRole(session, "site_staff");
  const nodes = (useNodes(transfers).data ?? []).filter((node) => node.organization_id === detail.organization_id);
  const canFetch = transfers && detail.patient !== null && nodes.some((node) => node.is_queried);
  const canSend = transfers && detail.studies.length > 0 && nodes.some((node) => node.is_sent_to);
  useKeys("Case", [{ id: "case.reassign", keys: ["a"], label: "Give to another reader", when: () => canGive, run: () => setAsking("reassign") }]);
  const resume = async () => {
    try {
      await api.post(url`/api/cases/${detail.id}/resume`);
      toast({ tone: "done", text: "The case goes on" });
      renew();
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "Not resumed" });
    }
  };
  const about = [detail.patient && patientName(detail.patient), detail.exam].filter(Boolean).join(", ");
  const reader = open?.reader?.name ?? null;
  if (!canGive && !steerable && !canAdd && !canFetch && !canSend) return null;
  return (
    <>
      {canGive && (
        <Button size="sm" keyHint="a" onClick={() => setAsking("reassign")}>
          {reader ? "Reassign" : "Find reader"}
        </Button>
      )}
      {steerable && held && (
        <Button size="sm" onClick={() => void resume()}>
          Resume
        </Button>
      )}
      {((steerable && !held && !signed) || canAdd || canFetch || canSend) && (
        <Menu>
          <Menu.Target>
            <Button size="sm" look="quiet" icon="more" aria-label="More to do with this case" />
          </Menu.Target>
          <Menu.Dropdown>
            {steerable && !held && !signed && (
              <Menu.Item leftSection={<Icon name="lock" />} onClick={() => setAsking("hold")}>
                Hold this case
              </Menu.Item>
            )}
            {canAdd && (
              <Menu.Item leftSection={<Icon name="plus" />} onClick={() => setAsking("addendum")}>
                Open an addendum
              </Menu.Item>
            )}
            {canFetch && (
              <Menu.Item leftSection={<Icon name="download" />} onClick={() => setAsking("priors")}>
                Fetch priors
              </Menu.Item>
            )}
            {canSend && (
              <Menu.Item leftSection={<Icon name="upload" />} onClick={() => setAsking("send")}>
                Send a study
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      )}
      {asking === "reassign" && open && <ReassignDialog caseId={detail.id} readId={open.id} about={about} reader={reader} onClose={() => setAsking(null)} />}
      {asking === "priors" && detail.patient && <FetchPriorsDialog organizationId={detail.organization_id} patientId={detail.patient.id} caseId={detail.id} about={patientName(detail.patient)} onClose={() => setAsking(null)} />}
      {asking === "send" && <SendStudyDialog organizationId={detail.organization_id} studies={detail.studies} caseId={detail.id} onClose={() => setAsking(null)} />}
      {asking === "hold" && (
        <ReasonDialog
          title="Hold this case"
          confirm="Hold"
          usual={["Site asked to wait", "More images announced", "Patient's identity in question"]}
          onClose={() => setAsking(null)}
          onReason={async (reason) => {
            await api.post(url`/api/cases/${detail.id}/hold`, { reason });
            setAsking(null);
            renew();
          }}
        >
          <p>
            <b>{about}</b> is given to nobody until it is resumed. The promise&rsquo;s clock goes on.
          </p>
        </ReasonDialog>
      )}
      {asking === "addendum" && (
        <ReasonDialog
          title="Open an addendum"
          confirm="Open"
          usual={["Late images", "Question from the site", "Prior became available"]}
          onClose={() => setAsking(null)}
          onReason={async (reason) => {
            const made = await api.post<{ read_id: string }>(url`/api/cases/${detail.id}/addendum`, { reason });
            setAsking(null);
            renew();
            if (mine) void navigate(`/read/${made.read_id}`);
            else toast({ tone: "done", text: "An addendum read waits for its reader" });
          }}
        >
          <p>
            The signed report stays as it is. A new read makes version {Math.max(0, ...detail.versions.map((version) => version.number)) + 1}.
          </p>
        </ReasonDialog>
      )}
    </>
  );
}
