import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, queryClient, url } from "../../api/client";
import { herePlace, useSession } from "../../api/session";
import type { Deletion, Deletions } from "../../api/types";
import { Button, dayClock, MINUTE, near, ReasonDialog, StateDot, toast, useNow } from "../../kit";
import { DeleteDialog } from "./DeleteDialog";
import { ListSection } from "./ListSection";
import { deletionState, studyLine } from "./words";

const WORDS = { waits: "waits", undone: "undone", gone: "gone" } as const;

/** Studies that were deleted: what still can be undone, what was, and what is gone. Patients are not seen here. */
export function DeletionsPage() {
  const session = useSession();
  const now = useNow(MINUTE);
  const here = herePlace(session);
  const found = useQuery({ queryKey: ["admin", "deletions"], queryFn: ({ signal }) => api.get<Deletions>("/api/admin/deletions", signal), refetchInterval: MINUTE });
  const [adding, setAdding] = useState(false);
  const [undoing, setUndoing] = useState<Deletion | null>(null);
  const again = () => queryClient.invalidateQueries({ queryKey: ["admin", "deletions"] });
  const days = found.data?.days ?? 7;
  const undo = (one: Deletion) => deletionState(one) === "waits" && setUndoing(one);
  return (
    <>
      <ListSection<Deletion>
        id="deletions"
        title="Deletions"
        sub={`a deleted study is hidden at once and gone after ${days} day${days === 1 ? "" : "s"}; until then it can be undone`}
        query={{ data: found.data?.deletions, isError: found.isError, error: found.error, refetch: found.refetch }}
        rowId={(one) => one.id}
        sort="state"
        onOpen={undo}
        tone={(one) => (deletionState(one) === "waits" ? "person" : undefined)}
        add={{ label: "Delete a study", run: () => setAdding(true) }}
        columns={[
          {
            id: "state",
            head: "State",
            width: 196,
            cell: (one) => {
              const state = deletionState(one);
              return (
                <span className="row" style={{ gap: 8 }}>
                  <StateDot state={state === "waits" ? "held" : state === "undone" ? "just" : "done"}>{WORDS[state]}</StateDot>
                  <span className="num q">{state === "waits" && one.purge_at ? `gone ${near(one.purge_at, here.zone, now)}` : near(one.restored_at ?? one.purged_at ?? one.made_at, here.zone, now)}</span>
                </span>
              );
            },
            sort: (one) => `${["waits", "undone", "gone"].indexOf(deletionState(one))} ${one.made_at}`,
          },
          { id: "uid", head: "Study Instance UID", width: 364, cell: (one) => <span className="num" title={one.study.study_instance_uid}>{one.study.study_instance_uid}</span>, sort: (one) => one.study.study_instance_uid },
          { id: "study", head: "Study", width: 136, cell: (one) => <span className="q">{studyLine(one.study)}</span>, sort: (one) => one.study.study_date },
          { id: "images", head: "Images", width: 74, cell: (one) => <span className="num">{one.number_of_instances}</span>, sort: (one) => one.number_of_instances },
          { id: "reason", head: "Why", cell: (one) => <span title={one.restore_reason ? `${one.reason}. Undone: ${one.restore_reason}` : one.reason}>{one.reason}</span> },
          { id: "by", head: "By", width: 120, cell: (one) => one.by ?? "–", sort: (one) => one.by },
          { id: "at", head: `Deleted, ${here.label}`, width: 142, show: "wide", cell: (one) => <span className="num q">{dayClock(one.made_at, here.zone)}</span>, sort: (one) => one.made_at },
          {
            id: "undo",
            head: "",
            width: 80,
            cell: (one) =>
              deletionState(one) === "waits" && (
                <Button size="sm" icon="undo" aria-label={`Undo the deletion of ${one.study.study_instance_uid}`} onClick={() => setUndoing(one)}>
                  Undo
                </Button>
              ),
          },
        ]}
        empty={{ title: "Nothing was deleted", text: "A study that must not be kept is found by its UID or accession number and deleted here, with a reason. It is hidden at once, and gone some days later.", icon: "shield" }}
      />
      {adding && <DeleteDialog days={days} onClose={() => setAdding(false)} onDone={() => void again()} />}
      {undoing && (
        <ReasonDialog
          title="Undo the deletion"
          confirm="Undo"
          usual={["Another study was meant", "It must be kept after all"]}
          onClose={() => setUndoing(null)}
          onReason={async (reason) => {
            await api.post(url`/api/admin/deletions/${undoing.id}/undo`, { organization_id: undoing.study.organization_id, reason });
            toast({ tone: "done", text: "The study is shown again" });
            void again();
            setUndoing(null);
          }}
        >
          The study <span className="num">…{undoing.study.study_instance_uid.slice(-12)}</span>, {studyLine(undoing.study)}, is shown again as it was.
        </ReasonDialog>
      )}
    </>
  );
}
