import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, url } from "../../api/client";
import { herePlace, useSession } from "../../api/session";
import type { TransferLine } from "../../api/types";
import { Button, type Column, DataTable, dayClock, Empty, ErrorState, Facts, Foot, MINUTE, near, Note, Page, Panel, Segments, SkeletonRows, StateDot, toast, useKeys, useNow, useTable } from "../../kit";
import { renewTransfers, useNodes } from "./data";
import { FetchByNumberDialog } from "./dialogs";
import { canAgain, countWords, dicomDay, isOpen, isTrouble, stateOf, whatWords } from "./words";
import "./transfers.css";

type Filter = "all" | "open" | "trouble";

async function act(one: TransferLine, what: "cancel" | "again"): Promise<void> {
  try {
    await api.post(url`/api/transfers/${one.id}/${what}`, {});
    toast({ tone: "done", text: what === "cancel" ? "Cancelled; what has come stays" : "It is tried again now" });
  } catch (error) {
    toast({ tone: "warn", text: error instanceof Error ? error.message : "Nothing was changed" });
  }
  renewTransfers();
}

/** Studies that are fetched from other archives and sent to them, each with how it goes. */
export default function TransfersPage() {
  const session = useSession();
  const navigate = useNavigate();
  const { transferId } = useParams();
  const now = useNow(MINUTE);
  const here = herePlace(session);
  const [filter, setFilter] = useState<Filter>("all");
  const [fetching, setFetching] = useState(false);
  const nodes = useNodes();
  const found = useQuery({
    queryKey: ["transfers"],
    queryFn: ({ signal }) => api.get<TransferLine[]>("/api/transfers?limit=500", signal),
    meta: { topics: ["transfer"] },
    refetchInterval: MINUTE,
  });
  const all = found.data ?? [];
  const shown = all.filter((one) => filter === "all" || (filter === "open" ? isOpen(one) : isTrouble(one)));
  const one = all.find((other) => other.id === transferId);
  // Beside an open transfer there is no room for what it tells itself.
  const beside: Column<TransferLine>[] = [
    { id: "next", head: "Next try", width: 110, show: "not-narrow", cell: (row) => <span className="num q">{row.state === "waiting" && row.next_attempt_at ? near(row.next_attempt_at, here.zone, now) : "–"}</span>, sort: (row) => row.next_attempt_at },
    { id: "error", head: "What is wrong", cell: (row) => <span title={row.error ?? undefined}>{row.error}</span> },
  ];
  const columns: Column<TransferLine>[] = [
    { id: "at", head: `Asked, ${here.label}`, width: one ? 100 : 118, fixed: true, cell: (row) => <span className="num" title={`${dayClock(row.created_at, "UTC")} UTC`}>{near(row.created_at, here.zone, now)}</span>, sort: (row) => row.created_at },
    { id: "what", head: "What", width: one ? 104 : 120, fixed: true, cell: whatWords, sort: whatWords },
    { id: "patient", head: "Patient", width: one ? 166 : 180, cell: (row) => row.patient_name ?? <span className="q">–</span>, sort: (row) => row.patient_name },
    { id: "node", head: "Node", width: one ? undefined : 170, cell: (row) => <span className="m">{row.node_name}</span>, sort: (row) => row.node_name },
    { id: "facility", head: "Facility", width: 130, show: "wide", cell: (row) => <span className="q">{row.facility_name}</span>, sort: (row) => row.facility_name },
    {
      id: "state",
      head: "State",
      width: one ? 106 : 116,
      fixed: true,
      cell: (row) => {
        const [dot, words] = stateOf(row);
        return <StateDot state={dot}>{words}</StateDot>;
      },
      sort: (row) => row.state,
    },
    { id: "count", head: "Objects", width: one ? 88 : 100, cell: (row) => <span className="num">{countWords(row)}</span>, sort: (row) => row.received },
    ...(one ? [] : beside),
  ];
  const state = useTable("transfers", columns, shown, (row) => row.id, { id: "at", desc: true });
  const [chosen, setChosen] = useState<string | null>(transferId ?? null);
  const close = () => void navigate("/transfers");
  const canFetch = (nodes.data ?? []).some((node) => node.is_queried);
  useKeys("Transfers", [
    { id: "transfers.close", keys: ["Escape"], label: "Close the transfer", when: () => transferId !== undefined, run: close },
    { id: "transfers.trouble", keys: ["f"], label: "Only what went wrong, or all", run: () => setFilter(filter === "trouble" ? "all" : "trouble") },
    { id: "transfers.fetch", keys: ["n"], label: "Fetch a study", when: () => canFetch, run: () => setFetching(true) },
  ]);
  return (
    <Page title="Transfers" windowTitle="Transfers">
      <div className="page">
        <div className={`mg${one ? " two-up" : ""}`}>
          <Panel
            className="clip"
            title="Transfers"
            count={shown.length}
            sub="studies fetched from other archives, and sent to them"
            end={
              <>
                <Segments<Filter>
                  small
                  label="Which transfers"
                  value={filter}
                  onChange={setFilter}
                  options={[
                    { id: "all", label: "All" },
                    { id: "open", label: `Under way ${all.filter(isOpen).length}` },
                    { id: "trouble", label: `Trouble ${all.filter(isTrouble).length}` },
                  ]}
                />
                {canFetch && (
                  <Button size="sm" icon="plus" keyHint="n" onClick={() => setFetching(true)}>
                    Fetch a study
                  </Button>
                )}
              </>
            }
          >
            {found.isError ? (
              <ErrorState error={found.error} retry={() => void found.refetch()} />
            ) : found.isPending ? (
              <SkeletonRows rows={12} />
            ) : (
              <DataTable
                state={state}
                label="Transfers"
                main
                selected={chosen}
                onSelect={setChosen}
                onOpen={(row) => void navigate(`/transfers/${encodeURIComponent(row.id)}`, { replace: transferId !== undefined })}
                rowTone={(row) => (row.state === "failed" ? "broken" : isTrouble(row) ? "person" : undefined)}
                empty={
                  filter === "all" ? (
                    <Empty title="Nothing was fetched or sent yet" icon="handback">
                      {canFetch || (nodes.data ?? []).length > 0
                        ? "Fetch a patient's earlier studies or send a study from its case, in the menu beside the case's state. How it goes is seen here."
                        : "Once an administrator has set up a DICOM node, earlier studies can be fetched from it and studies sent to it, from a case. How it goes is seen here."}
                    </Empty>
                  ) : (
                    <Empty title={filter === "open" ? "Nothing is under way" : "Nothing went wrong"} icon="check">
                      {filter === "open" ? "Transfers that wait or run are listed here." : "What did not arrive whole comes here, with the reason and the next try."}
                    </Empty>
                  )
                }
              />
            )}
          </Panel>
          {one && <Detail key={one.id} one={one} zone={here.zone} label={here.label} onClose={close} />}
        </div>
        <Foot
          keys={[
            { keys: ["j", "k"], label: "move" },
            { keys: ["Enter"], label: "open" },
            ...(canFetch ? [{ keys: ["n"], label: "fetch" }] : []),
            { keys: ["f"], label: "trouble" },
            { keys: ["Escape"], label: "close" },
          ]}
        />
      </div>
      {fetching && <FetchByNumberDialog onClose={() => setFetching(false)} />}
    </Page>
  );
}

function Detail({ one, zone, label, onClose }: { one: TransferLine; zone: string; label: string; onClose: () => void }) {
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const [dot, words] = stateOf(one);
  const run = async (what: "cancel" | "again") => {
    setBusy(true);
    await act(one, what);
    setBusy(false);
  };
  useKeys("Transfers", [
    { id: "transfers.again", keys: ["t"], label: "Try again now", when: () => canAgain(one), run: () => void run("again") },
    { id: "transfers.cancel", keys: ["x"], label: "Cancel it", when: () => isOpen(one), run: () => void run("cancel") },
  ]);
  return (
    <Panel
      className="clip"
      title={whatWords(one)}
      sub={one.patient_name ?? undefined}
      end={
        <>
          {canAgain(one) && (
            <Button size="sm" busy={busy} keyHint="t" onClick={() => void run("again")}>
              Try again
            </Button>
          )}
          {isOpen(one) && (
            <Button size="sm" busy={busy} keyHint="x" onClick={() => void run("cancel")}>
              Cancel
            </Button>
          )}
          {one.case_id && (
            <Button size="sm" onClick={() => void navigate(`/case/${one.case_id ?? ""}`)}>
              Open case
            </Button>
          )}
          <Button size="sm" look="quiet" keyHint="Escape" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard */}
      <div className="scroll tr-d" tabIndex={0} role="region" aria-label="Transfer">
        {one.error && <Note tone={one.state === "failed" ? "red" : "amber"}>{one.error}</Note>}
        <Facts
          facts={[
            ["State", <StateDot key="state" state={dot}>{words}</StateDot>],
            [one.direction === "fetch" ? "From" : "To", `${one.node_name}${one.facility_name ? `, for ${one.facility_name}` : ""}`],
            ["Objects", <span key="count" className="num">{countWords(one)}</span>],
            ["Tries", <span key="tries" className="num">{one.attempts}</span>],
            ...(one.state === "waiting" && one.next_attempt_at ? [["Next try", `${dayClock(one.next_attempt_at, zone)} ${label}`] as const] : []),
            ["Asked", `${dayClock(one.created_at, zone)} ${label}`],
            ...(one.finished_at ? [["Ended", `${dayClock(one.finished_at, zone)} ${label}`] as const] : []),
          ]}
        />
        {one.direction === "fetch" && one.expected !== null && (
          <section>
            <h3 className="caps">What the node has</h3>
            {one.studies.length === 0 ? (
              <p className="q">Nothing of it, or only what the site sends here itself.</p>
            ) : (
              <table aria-label="What the node has" className="inset">
                <thead>
                  <tr>
                    <th style={{ width: 120 }}>Of</th>
                    <th style={{ width: 90 }}>Modalities</th>
                    <th className="r" style={{ width: 90 }}>
                      Here
                    </th>
                    <th>What is wrong</th>
                  </tr>
                </thead>
                <tbody>
                  {one.studies.map((study) => (
                    <tr key={study.uid}>
                      <td className="num" title={study.uid}>
                        {dicomDay(study.date)}
                      </td>
                      <td className="q">{study.modalities.replaceAll("\\", " ") || "–"}</td>
                      <td className={`num r${study.done ? "" : " amber"}`}>{`${study.received} of ${study.expected || "?"}`}</td>
                      <td className="wrap">{study.error}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
          </section>
        )}
      </div>
    </Panel>
  );
}
