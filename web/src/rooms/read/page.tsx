import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useParams } from "react-router";
import { api, ApiError, url } from "../../api/client";
import type { Topic } from "../../api/live";
import { herePlace, useSession } from "../../api/session";
import type { CaseDetail, Workspace } from "../../api/types";
import { Page, SkeletonRows } from "../../kit";
import { NotOpened } from "./States";
import { startViewer } from "./viewer/store";
import { Room } from "./Room";
import "./read.css";

const TOPICS: readonly Topic[] = ["case", "study", "order", "report"];

/** Reading one case: its images, its report, its signature. */
export default function ReadPage() {
  const { readId = "" } = useParams();
  return <Opening key={readId} readId={readId} />;
}

function Opening({ readId }: { readId: string }) {
  const session = useSession();
  const here = herePlace(session);
  useEffect(startViewer, []);
  const workspace = useQuery({
    queryKey: ["workspace", readId],
    // Opening takes the report over, so it is done once and never in the background.
    queryFn: () => api.post<Workspace>(url`/api/reads/${readId}/open`),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const opened = workspace.data?.case;
  const detail = useQuery({
    queryKey: ["case", opened?.id],
    queryFn: ({ signal }) => api.get<CaseDetail>(url`/api/cases/${opened?.id ?? ""}`, signal),
    enabled: opened !== undefined,
    meta: { topics: TOPICS },
  });
  const crumb = { label: "My list", to: "/list" };
  // What the opening brought is shown at once; what the list knew before may be older.
  if (workspace.data && opened) return <Room key={workspace.dataUpdatedAt} workspace={workspace.data} detail={detail.data && detail.dataUpdatedAt > workspace.dataUpdatedAt ? detail.data : opened} lost={detail.error instanceof ApiError && detail.error.status === 404} onReopen={() => void workspace.refetch()} />;
  return (
    <Page title="Reading" crumb={crumb} windowTitle="Reading" places={[here]}>
      {workspace.isError ? (
        <NotOpened error={workspace.error} zone={here.zone} onRetry={() => void workspace.refetch()} />
      ) : (
        <SkeletonRows rows={4} />
      )}
    </Page>
  );
}
