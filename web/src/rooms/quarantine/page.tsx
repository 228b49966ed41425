import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, ApiError, queryClient, url } from "../../api/client";
import { herePlace, useSession } from "../../api/session";
import type { HeldDetail, HeldObject, QuarantineRoom } from "../../api/types";
import { Button, Chip, type Column, DataTable, dayClock, Empty, ErrorState, Facts, Foot, MINUTE, near, Note, Page, Panel, SkeletonRows, SkeletonText, StateDot, toast, useKeys, useNow, useTable } from "../../kit";
import { QuestionChip } from "../questions/QuestionChip";
import { QuestionPanel } from "../questions/QuestionPanel";
import { DismissDialog } from "./DismissDialog";
import { ElementsTable } from "./ElementsTable";
import "./quarantine.css";
import { WhoDialog } from "./WhoDialog";
import { bytes, fullness, whatItMeans, WHY } from "./words";

/** Objects that came and could not be filed. None is lost; each waits for a person. Looking into one is recorded. */
export default function QuarantinePage() {
  const session = useSession();
  const navigate = useNavigate();
  const { heldId } = useParams();
  const now = useNow(MINUTE);
  const here = herePlace(session);
  const found = useQuery({
    queryKey: ["held"],
    queryFn: ({ signal }) => api.get<HeldObject[]>("/api/held-objects", signal),
    meta: { topics: ["study"] },
    refetchInterval: MINUTE,
  });
  const rooms = useQuery({
    queryKey: ["held", "room"],
    queryFn: ({ signal }) => api.get<QuarantineRoom[]>("/api/quarantine", signal),
    meta: { topics: ["study"] },
    refetchInterval: MINUTE,
  });
  const full = fullness(rooms.data ?? []);
  const columns: Column<HeldObject>[] = [
    { id: "at", head: `Came, ${here.label}`, width: 138, fixed: true, cell: (one) => <span className="num" title={`${dayClock(one.received_at, "UTC")} UTC`}>{near(one.received_at, here.zone, now)}</span>, sort: (one) => one.received_at },
    { id: "facility", head: "From", width: 140, cell: (one) => one.facility_name ?? <span className="q">unknown</span>, sort: (one) => one.facility_name },
    { id: "why", head: "Why it waits", width: 250, fixed: true, cell: (one) => <StateDot state="held">{WHY[one.reason] ?? one.reason}</StateDot>, sort: (one) => one.reason },
    { id: "detail", head: "What was found", cell: (one) => <span title={one.detail}><QuestionChip subject="held_object" id={one.id} /> {one.alike > 1 && <Chip tone="outline">{one.alike} objects</Chip>} {one.detail}</span> },
    { id: "size", head: "Size", width: 90, show: "wide", cell: (one) => <span className="num q">{bytes(one.length)}</span>, sort: (one) => one.length },
    { id: "uid", head: "SOP Instance UID", width: 260, show: "wide", cell: (one) => <span className="num q">{one.sop_instance_uid}</span>, sort: (one) => one.sop_instance_uid },
  ];
  const shown = found.data ?? [];
  const state = useTable("quarantine", columns, shown, (one) => one.id, { id: "at", desc: true });
  const open = (id: string) => void navigate(`/quarantine/${encodeURIComponent(id)}`, { replace: heldId !== undefined });
  const close = () => void navigate("/quarantine");
  const [chosen, setChosen] = useState<string | null>(heldId ?? null);
  useKeys("Quarantine", [{ id: "quarantine.close", keys: ["Escape"], label: "Close the object", when: () => heldId !== undefined, run: close }]);
  return (
    <Page title="Quarantine" windowTitle="Quarantine">
      <div className="page">
        <div className={`mg${heldId ? " two-up" : ""}`}>
          <Panel className="clip" title="Objects that could not be filed" count={shown.length} sub="nothing is lost: each is kept as it came until a person decides" end={full && <Chip tone={full.state === "room" ? "outline" : full.state === "near" ? "amber" : "red"}>{full.words}</Chip>}>
            {full && full.state !== "room" && (
              <div style={{ padding: 8 }}>
                <Note tone={full.state === "near" ? "amber" : "red"}>
                  {full.state === "near" ? "The quarantine is nearly full. When it is, what can't be read is refused without being kept: its sender is told, and has to send it again." : "The quarantine is full: what can't be read is refused without being kept."} Dismiss, or try
                  again, what waits.
                </Note>
              </div>
            )}
            {found.isError ? (
              <ErrorState error={found.error} retry={() => void found.refetch()} />
            ) : found.isPending ? (
              <SkeletonRows rows={10} />
            ) : (
              <DataTable
                state={state}
                label="Objects in quarantine"
                main
                selected={chosen}
                onSelect={setChosen}
                onOpen={(one) => open(one.id)}
                empty={
                  <Empty title="Everything that came is filed" icon="check">
                    An object that can't be read, or whose UID is taken by another content, waits here with the reason.
                  </Empty>
                }
              />
            )}
          </Panel>
          {heldId && <Detail key={heldId} id={heldId} onClose={close} zone={here.zone} label={here.label} />}
        </div>
        <Foot keys={[{ keys: ["j", "k"], label: "move" }, { keys: ["Enter"], label: "look into it" }, { keys: ["a"], label: "accept a correction" }, { keys: ["t"], label: "try again" }, { keys: ["x"], label: "dismiss" }, { keys: ["q"], label: "ask the site" }, { keys: ["Escape"], label: "close" }]} />
      </div>
    </Page>
  );
}

function Detail({ id, onClose, zone, label }: { id: string; onClose: () => void; zone: string; label: string }) {
  const found = useQuery({ queryKey: ["held", id], queryFn: ({ signal }) => api.get<HeldDetail>(url`/api/held-objects/${id}`, signal), staleTime: Infinity });
  const [dismissing, setDismissing] = useState(false);
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const one = found.data;
  const again = () => Promise.all([queryClient.invalidateQueries({ queryKey: ["held"], exact: true }), queryClient.invalidateQueries({ queryKey: ["held", "room"] })]);
  const retry = async () => {
    setBusy(true);
    try {
      await api.post(url`/api/held-objects/${id}/retry`, {});
      toast({ tone: "done", text: "Tried again. If it still can't be filed, it comes back here" });
      void again();
      onClose();
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "It was not tried again" });
    } finally {
      setBusy(false);
    }
  };
  const undo = async (studyId: string) => {
    await api.post(url`/api/studies/${studyId}/corrections/undo`, { reason: "Accepted by mistake" });
    toast({ tone: "done", text: "Taken back. The study is as it was" });
  };
  const accept = async (confirmed: boolean) => {
    setBusy(true);
    try {
      const { study_id } = await api.post<{ study_id: string }>(url`/api/held-objects/${id}/accept`, { reason: "Taken as the site sent it again", confirm_other_person: confirmed });
      toast({ tone: "done", text: "Taken for the whole study", undo: () => undo(study_id) });
      void again();
      onClose();
    } catch (error) {
      if (confirmed) throw error;
      if (error instanceof ApiError && error.code === "other-person") setAsking(true);
      else toast({ tone: "warn", text: error instanceof Error ? error.message : "It was not taken" });
    } finally {
      setBusy(false);
    }
  };
  const canAccept = one?.reason === "correction";
  useKeys("Quarantine", [
    { id: "quarantine.accept", keys: ["a"], label: "Accept the correction for the whole study", when: () => canAccept && !busy, run: () => void accept(false) },
    { id: "quarantine.retry", keys: ["t"], label: "Try to file it again", when: () => one !== undefined, run: () => void retry() },
    { id: "quarantine.dismiss", keys: ["x"], label: "Dismiss it, with a reason", when: () => one !== undefined, run: () => setDismissing(true) },
  ]);
  return (
    <Panel
      className="clip"
      title={one ? (WHY[one.reason] ?? one.reason) : "Object"}
      end={
        <>
          {canAccept && (
            <Button size="sm" look="primary" busy={busy} keyHint="a" onClick={() => void accept(false)}>
              Accept
            </Button>
          )}
          <Button size="sm" disabled={!one} busy={busy} keyHint="t" onClick={() => void retry()}>
            Try again
          </Button>
          <Button size="sm" disabled={!one} keyHint="x" onClick={() => setDismissing(true)}>
            Dismiss
          </Button>
          <Button size="sm" look="quiet" keyHint="Escape" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      {found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : !one ? (
        <div style={{ padding: 12 }}>
          <SkeletonText lines={8} />
        </div>
      ) : (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard
        <div className="scroll qt-d" tabIndex={0} role="region" aria-label="Object">
          <div className="qt-why">
            <Preview id={id} readable={one.lines.length > 0} />
            <div>
              <p style={{ marginBottom: 10 }}>{whatItMeans(one)}</p>
              <Facts
                facts={[
                  ["Found", <span key="detail" className="amber">{one.detail}</span>],
                  ["From", one.facility_name ?? "unknown"],
                  ["Came", `${dayClock(one.received_at, zone)} ${label}, ${dayClock(one.received_at, "UTC")} UTC`],
                  ...(one.alike > 1 ? [["Alike", `${one.alike} objects of this study wait for the same reason`] as const] : []),
                  ["Size", <span key="size" className="num">{bytes(one.length)}</span>],
                  ...(one.sop_instance_uid ? [["SOP UID", <span key="uid" className="num">{one.sop_instance_uid}</span>] as const] : []),
                ]}
              />
            </div>
          </div>
          <QuestionPanel subject="held_object" id={id} site={{ zone, label }} keyScope="Quarantine" />
          {one.filed_study_id && (
            <section>
              <h3 className="caps">
                Beside what is filed {one.same_pixels === true && <Chip tone="outline">same pixels</Chip>} {one.same_pixels === false && <Chip tone="amber">other pixels</Chip>}
              </h3>
              {one.differences.length > 0 ? <ElementsTable lines={one.differences} compared /> : <p className="quiet-line">Every element of the header is the same.</p>}
            </section>
          )}
          {one.first_bytes.length > 0 && (
            <section>
              <h3 className="caps">Its first bytes</h3>
              <ol className="segs">
                {one.first_bytes.map((line) => (
                  <li key={line}>{line}</li>
                ))}
              </ol>
            </section>
          )}
          {one.lines.length > 0 && (
            <section>
              <h3 className="caps">Its elements</h3>
              <ElementsTable lines={one.lines} />
              {one.is_cut && <p className="quiet-line">Only the first {one.lines.length} elements are shown.</p>}
            </section>
          )}
        </div>
      )}
      {dismissing && (
        <DismissDialog
          id={id}
          alike={one?.alike ?? 1}
          onClose={() => setDismissing(false)}
          onDone={(count) => {
            toast({ tone: "done", text: count > 1 ? `${count} dismissed. Their bytes are kept` : "Dismissed. Its bytes are kept" });
            void again();
            onClose();
          }}
        />
      )}
      {asking && <WhoDialog id={id} onClose={() => setAsking(false)} onSame={() => accept(true)} />}
    </Panel>
  );
}

function Preview({ id, readable }: { id: string; readable: boolean }) {
  const [failed, setFailed] = useState(!readable);
  return <div className="qt-pic">{failed ? "no picture" : <img src={url`/api/held-objects/${id}/preview`} alt="First frame of the object" onError={() => setFailed(true)} />}</div>;
}

