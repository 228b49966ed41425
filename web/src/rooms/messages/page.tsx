import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, url } from "../../api/client";
import { herePlace, useSession } from "../../api/session";
import type { MessageBrief } from "../../api/types";
import { Button, Chip, type Column, DataTable, dayClock, Empty, ErrorState, Facts, Foot, MINUTE, near, Page, Panel, Segments, SkeletonRows, SkeletonText, StateDot, type DotState, toast, useKeys, useNow, useTable } from "../../kit";
import "./messages.css";

interface MessageText extends MessageBrief {
  payload: string;
  answer: string | null;
  peer?: string | null;
}

const FATES: Record<string, [DotState, string]> = {
  processed: ["done", "Processed"],
  duplicate: ["done", "Repeat, answered again"],
  rejected: ["bad", "Refused"],
  sent: ["done", "Sent and answered"],
  no_answer: ["held", "No answer"],
};

type Filter = "all" | "in" | "out" | "trouble";

/** Every HL7 message with its fate. Opening one shows patient data, and is recorded. */
export default function MessagesPage() {
  const session = useSession();
  const navigate = useNavigate();
  const { messageId } = useParams();
  const now = useNow(MINUTE);
  const here = herePlace(session);
  const [filter, setFilter] = useState<Filter>("all");
  const [limit, setLimit] = useState(200);
  const direction = filter === "in" || filter === "out" ? `&direction=${filter}` : "";
  const found = useQuery({
    queryKey: ["messages", direction, limit],
    queryFn: ({ signal }) => api.get<MessageBrief[]>(`/api/messages?limit=${limit}${direction}`, signal),
    meta: { topics: ["order", "delivery"] },
    placeholderData: (before) => before,
    refetchInterval: MINUTE,
  });
  const shown = (found.data ?? []).filter((one) => filter !== "trouble" || one.fate === "rejected" || one.fate === "no_answer");
  const columns: Column<MessageBrief>[] = [
    { id: "at", head: `Time, ${here.label}`, width: 138, fixed: true, cell: (one) => <span className="num" title={`${dayClock(one.received_at, "UTC")} UTC`}>{near(one.received_at, here.zone, now)}</span>, sort: (one) => one.received_at },
    { id: "direction", head: "Way", width: 58, cell: (one) => <span className="q">{one.direction === "in" ? "in" : "out"}</span>, sort: (one) => one.direction },
    { id: "type", head: "Message", width: 104, cell: (one) => <span className="num">{one.message_type ?? "not HL7"}</span>, sort: (one) => one.message_type },
    { id: "endpoint", head: "Endpoint", width: 190, cell: (one) => one.endpoint ?? <span className="amber">unknown sender</span>, sort: (one) => one.endpoint },
    { id: "control", head: "Control id", width: 150, show: "wide", cell: (one) => <span className="num q">{one.control_id}</span>, sort: (one) => one.control_id },
    {
      id: "fate",
      head: "Fate",
      width: 166,
      fixed: true,
      cell: (one) => {
        const [dot, words] = FATES[one.fate] ?? ["done", one.fate];
        return <StateDot state={dot}>{words}</StateDot>;
      },
      sort: (one) => one.fate,
    },
    { id: "ack", head: "Answer", width: 66, cell: (one) => <span className="num q">{one.acknowledgement ?? "–"}</span>, sort: (one) => one.acknowledgement },
    { id: "fault", head: "What is wrong", cell: (one) => <span title={one.fault ?? undefined}>{one.fault}</span> },
  ];
  const state = useTable("messages", columns, shown, (one) => one.id, { id: "at", desc: true });
  const open = (id: string) => void navigate(`/messages/${encodeURIComponent(id)}`, { replace: messageId !== undefined });
  const [chosen, setChosen] = useState<string | null>(messageId ?? null);
  useKeys("Messages", [
    { id: "messages.close", keys: ["Escape"], label: "Close the message", when: () => messageId !== undefined, run: () => void navigate("/messages") },
    { id: "messages.trouble", keys: ["f"], label: "Only what went wrong, or all", run: () => setFilter(filter === "trouble" ? "all" : "trouble") },
  ]);
  const trouble = (found.data ?? []).filter((one) => one.fate === "rejected" || one.fate === "no_answer").length;
  return (
    <Page title="Message log" windowTitle="Message log">
      <div className="page">
        <div className={`mg${messageId ? " two-up" : ""}`}>
          <Panel
            className="clip"
            title="HL7 messages"
            count={shown.length}
            sub="the newest; the text of a message is shown when you open it"
            end={
              <>
                <Segments<Filter>
                  small
                  label="Which messages"
                  value={filter}
                  onChange={setFilter}
                  options={[
                    { id: "all", label: "All" },
                    { id: "in", label: "In" },
                    { id: "out", label: "Out" },
                    { id: "trouble", label: `Trouble ${trouble}` },
                  ]}
                />
                {found.data && found.data.length >= limit && limit < 1000 && (
                  <Button size="sm" onClick={() => setLimit(1000)}>
                    More
                  </Button>
                )}
              </>
            }
          >
            {found.isError ? (
              <ErrorState error={found.error} retry={() => void found.refetch()} />
            ) : found.isPending ? (
              <SkeletonRows rows={14} />
            ) : (
              <DataTable
                state={state}
                label="HL7 messages"
                main
                selected={chosen}
                onSelect={setChosen}
                onOpen={(one) => open(one.id)}
                rowTone={(one) => (one.fate === "rejected" ? "broken" : one.fate === "no_answer" ? "person" : undefined)}
                empty={
                  filter === "trouble" ? (
                    <Empty title="Every message was taken" icon="check">
                      Refused messages and those without an answer come here, with what is wrong.
                    </Empty>
                  ) : (
                    <Empty title="No message yet" icon="document">
                      Orders from sites and reports to them appear here, each with its fate. Endpoints are set up under Administration.
                    </Empty>
                  )
                }
              />
            )}
          </Panel>
          {messageId && <Detail key={messageId} id={messageId} onClose={() => void navigate("/messages")} zone={here.zone} label={here.label} />}
        </div>
        <Foot keys={[{ keys: ["j", "k"], label: "move" }, { keys: ["Enter"], label: "open" }, { keys: ["f"], label: "trouble" }, { keys: ["Escape"], label: "close" }]} />
      </div>
    </Page>
  );
}

function Detail({ id, onClose, zone, label }: { id: string; onClose: () => void; zone: string; label: string }) {
  const found = useQuery({ queryKey: ["message", id], queryFn: ({ signal }) => api.get<MessageText>(url`/api/messages/${id}`, signal), staleTime: Infinity });
  const one = found.data;
  const copy = async () => {
    if (!one) return;
    await navigator.clipboard.writeText(one.payload);
    toast({ text: "Copied. It holds patient data." });
  };
  return (
    <Panel
      className="clip"
      title={one?.message_type ?? "Message"}
      sub={one?.control_id}
      end={
        <>
          <Button size="sm" disabled={!one} onClick={() => void copy()}>
            Copy
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
        <div className="scroll mg-d" tabIndex={0} role="region" aria-label="Message">
          <Facts
            facts={[
              ["Came", `${dayClock(one.received_at, zone)} ${label}, ${dayClock(one.received_at, "UTC")} UTC`],
              ["Endpoint", `${one.endpoint ?? "unknown sender"}${one.peer ? `, ${one.peer}` : ""}`],
              ["Fate", `${(FATES[one.fate] ?? ["", one.fate])[1]}${one.acknowledgement ? `, ${one.acknowledgement}` : ""}`],
              ...(one.fault ? [["Wrong", <span key="fault" className="amber">{one.fault}</span>] as const] : []),
            ]}
          />
          <Raw title={one.direction === "in" ? "What came" : "What was sent"} text={one.payload} />
          {one.answer ? <Raw title="The answer" text={one.answer} /> : <Chip tone="amber">no answer</Chip>}
        </div>
      )}
    </Panel>
  );
}

/** Segment by segment, as it was on the wire; nothing in it is interpreted. */
function Raw({ title, text }: { title: string; text: string }) {
  const segments = text.split(/\r\n|\r|\n/).filter((line) => line.length > 0);
  return (
    <section>
      <h3 className="caps">{title}</h3>
      <ol className="segs">
        {segments.map((segment, index) => (
          <li key={index}>
            <b>{segment.slice(0, 3)}</b>
            {segment.slice(3)}
          </li>
        ))}
      </ol>
    </section>
  );
}
