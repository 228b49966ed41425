import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api } from "../../api/client";
import type { Topic } from "../../api/live";
import { herePlace, useSession } from "../../api/session";
import type { Board } from "../../api/types";
import { Button, Chip, DeadlineRuler, ErrorState, Foot, HOUR, MINUTE, ms, Page, Panel, type Place, SkeletonRows, useKeys, useNow } from "../../kit";
import { Cases } from "./Cases";
import { Hubs, PromiseTable } from "./Hubs";
import { MatchDialog } from "./MatchDialog";
import { ReassignDialog } from "./ReassignDialog";
import { AlarmsPanel, DeliveriesPanel, NoNeeds, UnmatchedPanel } from "./SidePanels";
import { WhoIsOn } from "./WhoIsOn";
import { type BoardCase, isOpen, lacksReader, nameOf, type Unmatched } from "./words";
import "./board.css";

const TOPICS: readonly Topic[] = ["case", "study", "order", "delivery", "alarm", "report", "shift"];

/** The coordinator's board. */
export default function BoardPage() {
  const session = useSession();
  const here = herePlace(session);
  const board = useQuery({ queryKey: ["board"], queryFn: ({ signal }) => api.get<Board>("/api/board", signal), meta: { topics: TOPICS }, refetchInterval: MINUTE });
  return (
    <Page title="Command centre" windowTitle="Command centre" places={board.data ? places(board.data, here) : undefined}>
      {board.data ? <Shown board={board.data} here={here} /> : board.isError ? <ErrorState error={board.error} retry={() => void board.refetch()} /> : <SkeletonRows rows={12} />}
    </Page>
  );
}

/** Clocks of the sites that have something open, at most four. */
function places(board: Board, here: Place): Place[] {
  const found = new Map<string, Place>();
  for (const item of board.cases) found.set(item.facility.short_name, { zone: item.facility.time_zone, label: item.facility.short_name });
  return [here, ...[...found.values()].filter((place) => place.zone !== here.zone).slice(0, 3)];
}

function Shown({ board, here }: { board: Board; here: Place }) {
  const navigate = useNavigate();
  const [giving, setGiving] = useState<BoardCase | null>(null);
  const [matching, setMatching] = useState<Unmatched | null>(null);
  const open = (item: BoardCase) => void navigate(`/case/${item.case_id}`);
  const first = board.unmatched[0];
  useKeys("Board", [{ id: "board.match", keys: ["m"], label: "Match the first unmatched study", when: () => first !== undefined, run: () => first && setMatching(first) }]);
  const nothing = board.unmatched.length + board.deliveries.length + board.alarms.length === 0;
  return (
    <div className="page">
      <div className="bd">
        <Promises board={board} onOpen={open} />
        <Hubs readers={board.who_is_on} cases={board.cases} />
        <WhoIsOn readers={board.who_is_on} cases={board.cases} />
        <Cases cases={board.cases} total={board.total} here={here} onOpen={open} onReassign={setGiving} />
        <div className="needs">
          {nothing ? (
            <NoNeeds />
          ) : (
            <>
              {board.alarms.some((alarm) => alarm.seen_by === null) && <AlarmsPanel alarms={board.alarms} here={here} />}
              <UnmatchedPanel studies={board.unmatched} onMatch={setMatching} />
              <DeliveriesPanel deliveries={board.deliveries} here={here} />
              {board.alarms.length > 0 && board.alarms.every((alarm) => alarm.seen_by !== null) && <AlarmsPanel alarms={board.alarms} here={here} />}
            </>
          )}
        </div>
      </div>
      <Foot
        keys={[
          { keys: ["j", "k"], label: "move" },
          { keys: ["Enter"], label: "open" },
          { keys: ["a"], label: "reassign" },
          { keys: ["m"], label: "match" },
          { keys: ["f"], label: "filter" },
          { keys: ["?"], label: "all keys" },
        ]}
      />
      {giving && <ReassignDialog caseId={giving.case_id} readId={giving.read_id} about={`${nameOf(giving.patient)}, ${giving.exam}`} reader={giving.reader?.name ?? null} onClose={() => setGiving(null)} />}
      {matching && <MatchDialog studyId={matching.study.id} study={matching.study} held={matching.study.match_state === "held"} why={matching.reason} site={{ zone: matching.facility.time_zone, label: matching.facility.short_name }} mayReadNow onClose={() => setMatching(null)} />}
    </div>
  );
}

function Promises({ board, onOpen }: { board: Board; onOpen: (item: BoardCase) => void }) {
  const now = useNow(MINUTE);
  const [asTable, setAsTable] = useState(false);
  const promised = board.cases.filter((item) => isOpen(item) && item.due_at !== null && ms(item.due_at) <= now + 2 * HOUR).sort((a, b) => ms(a.due_at ?? 0) - ms(b.due_at ?? 0));
  const broken = promised.filter((item) => ms(item.due_at ?? 0) < now).length;
  const nobody = board.cases.filter((item) => isOpen(item) && lacksReader(item)).length;
  const { kept, of, median_minutes } = board.kept_today;
  const byId = (id: string) => board.cases.find((item) => item.case_id === id);
  return (
    <Panel
      className="st-r clip"
      title="Promises due in 2 h"
      count={promised.length}
      sub={
        <>
          {broken > 0 && <Chip tone="red">{broken} broken</Chip>} {nobody > 0 && <Chip tone="amber">{nobody} without reader</Chip>}{" "}
          <span className="num">
            {of > 0 ? `Kept today ${kept} of ${of}${median_minutes !== null ? `, median ${Math.round(median_minutes)} min` : ""}` : "No promise has ended today"}
          </span>
        </>
      }
      end={
        <>
          <span className="q sm no12">Priority by shape and letter</span>
          <Button size="sm" look="quiet" icon="columns" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            {asTable ? "Ruler" : "Table"}
          </Button>
        </>
      }
    >
      {asTable ? (
        <PromiseTable cases={promised} now={now} onOpen={onOpen} />
      ) : (
        <div className="pad">
          <DeadlineRuler
            items={promised.map((item) => ({ id: item.case_id, due: item.due_at ?? 0, label: item.patient?.family_name.toUpperCase() ?? "not matched", priority: item.priority, person: lacksReader(item) }))}
            onOpen={(id) => {
              const item = byId(id);
              if (item) onOpen(item);
            }}
          />
        </div>
      )}
    </Panel>
  );
}
