import { Select, TextInput } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { api } from "../../api/client";
import { herePlace, useSession } from "../../api/session";
import type { MessageBrief, MessageFeed, MessagePage } from "../../api/types";
import { Button, Chip, type Column, DataTable, dayClock, Empty, ErrorState, Foot, MINUTE, near, Page, Panel, Segments, SkeletonRows, StateDot, useKeys, useNow, useTable } from "../../kit";
import { Detail } from "./Detail";
import { FATE_OPTIONS, fateOf, isNarrowed, queryOf, wantedOf } from "./words";
import "./messages.css";

const A_PAGE = 200;
type Way = "all" | "in" | "out" | "trouble";

/** Every message in and out with its fate: found by what one knows of it, opened with patient data masked. */
export default function MessagesPage() {
  const session = useSession();
  const navigate = useNavigate();
  const { messageId } = useParams();
  const [params, setParams] = useSearchParams();
  const now = useNow(MINUTE);
  const here = herePlace(session);
  const wanted = wantedOf(params);
  const set = (values: Record<string, string | null>) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        for (const [name, value] of Object.entries(values)) {
          if (value) next.set(name, value);
          else next.delete(name);
        }
        return next;
      },
      { replace: true },
    );
  const key = queryOf(wanted, A_PAGE, null);
  const found = useInfiniteQuery({
    queryKey: ["messages", key],
    queryFn: ({ signal, pageParam }) => api.get<MessagePage>(`/api/messages?${queryOf(wanted, A_PAGE, pageParam)}`, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    meta: { topics: ["order", "delivery"] },
    placeholderData: (before) => before,
    refetchInterval: MINUTE,
  });
  const feeds = useQuery({ queryKey: ["messages", "feeds"], queryFn: ({ signal }) => api.get<MessageFeed[]>("/api/messages/feeds", signal), staleTime: 10 * MINUTE });
  const shown = (found.data?.pages ?? []).flatMap((page) => page.messages);
  const columns: Column<MessageBrief>[] = [
    { id: "at", head: `Time, ${here.label}`, width: 138, fixed: true, cell: (one) => <span className="num" title={`${dayClock(one.received_at, "UTC")} UTC`}>{near(one.received_at, here.zone, now)}</span>, sort: (one) => one.received_at },
    { id: "direction", head: "Way", width: 58, cell: (one) => <span className="q">{one.direction === "in" ? "in" : "out"}</span>, sort: (one) => one.direction },
    { id: "type", head: "Message", width: 104, cell: (one) => <span className="num">{one.message_type ?? "not HL7"}</span>, sort: (one) => one.message_type },
    { id: "endpoint", head: "Endpoint", width: 190, cell: (one) => one.endpoint ?? <span className="amber">unknown sender</span>, sort: (one) => one.endpoint },
    { id: "control", head: "Control id", width: 150, show: "wide", cell: (one) => <span className="num q">{one.control_id}</span>, sort: (one) => one.control_id },
    {
      id: "fate",
      head: "Fate",
      width: 176,
      fixed: true,
      cell: (one) => {
        const [dot, words] = fateOf(one.fate);
        return (
          <StateDot state={dot}>
            {words}
            {one.replay_of ? ", again" : ""}
          </StateDot>
        );
      },
      sort: (one) => one.fate,
    },
    { id: "ack", head: "Answer", width: 66, cell: (one) => <span className="num q">{one.acknowledgement ?? "–"}</span>, sort: (one) => one.acknowledgement },
    { id: "fault", head: "What is wrong", cell: (one) => <span title={one.fault ?? undefined}>{one.fault}</span> },
  ];
  const state = useTable("messages", columns, shown, (one) => one.id, { id: "at", desc: true });
  const open = (id: string) => void navigate({ pathname: `/messages/${encodeURIComponent(id)}`, search: params.toString() }, { replace: messageId !== undefined });
  const close = () => void navigate({ pathname: "/messages", search: params.toString() });
  const [chosen, setChosen] = useState<string | null>(messageId ?? null);
  const way: Way = wanted.trouble ? "trouble" : wanted.direction === "in" ? "in" : wanted.direction === "out" ? "out" : "all";
  useKeys("Messages", [
    { id: "messages.close", keys: ["Escape"], label: "Close the message", when: () => messageId !== undefined, run: close },
    { id: "messages.trouble", keys: ["f"], label: "Only what went wrong, or all", run: () => set({ way: wanted.trouble ? null : "trouble" }) },
  ]);
  return (
    <Page title="Message log" windowTitle="Message log">
      <div className="page">
        <div className={`mg${messageId ? " two-up" : ""}`}>
          <Panel
            className="clip"
            title="Messages"
            count={shown.length}
            sub={found.hasNextPage ? "the newest" : undefined}
            end={
              <>
                <Segments<Way>
                  small
                  label="Which messages"
                  value={way}
                  onChange={(next) => set({ way: next === "all" ? null : next })}
                  options={[
                    { id: "all", label: "All" },
                    { id: "in", label: "In" },
                    { id: "out", label: "Out" },
                    { id: "trouble", label: "Trouble" },
                  ]}
                />
                {found.hasNextPage && (
                  <Button size="sm" busy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
                    Older
                  </Button>
                )}
              </>
            }
          >
            <div className="mg-l">
              <form className="mg-s" role="search" aria-label="Messages" onSubmit={(event) => event.preventDefault()}>
                <Typed key={`control ${wanted.control}`} label="Control id" placeholder="its beginning" value={wanted.control} onTake={(control) => set({ control })} />
                <Typed key={`type ${wanted.type}`} label="Message" placeholder="ORM or ORM^O01" value={wanted.type} onTake={(type) => set({ type })} />
                <Select label="Endpoint" placeholder="any" data={(feeds.data ?? []).map((feed) => ({ value: feed.id, label: feed.name }))} value={wanted.endpoint} searchable clearable nothingFoundMessage="Nothing of that name" onChange={(endpoint) => set({ endpoint })} />
                <Select label="Fate" placeholder="any" data={FATE_OPTIONS} value={wanted.trouble ? null : wanted.fate} disabled={wanted.trouble} clearable onChange={(fate) => set({ fate })} />
                <TextInput label="From" type="datetime-local" value={wanted.since ?? ""} onChange={(event) => set({ since: event.currentTarget.value })} />
                <TextInput label="To" type="datetime-local" value={wanted.until ?? ""} onChange={(event) => set({ until: event.currentTarget.value })} />
                <span className="row mg-e">
                  {wanted.order && <Chip tone="outline">of one order</Chip>}
                  {isNarrowed(wanted) && (
                    <Button size="sm" look="quiet" onClick={() => setParams({}, { replace: true })}>
                      Everything
                    </Button>
                  )}
                </span>
              </form>
              {found.isError ? (
                <ErrorState error={found.error} retry={() => void found.refetch()} />
              ) : found.isPending ? (
                <SkeletonRows rows={14} />
              ) : (
                <DataTable
                  state={state}
                  label="Messages"
                  main
                  selected={chosen}
                  onSelect={setChosen}
                  onOpen={(one) => open(one.id)}
                  rowTone={(one) => (one.fate === "rejected" ? "broken" : ["no_answer", "held", "not_sent"].includes(one.fate) ? "person" : undefined)}
                  empty={
                    isNarrowed(wanted) ? (
                      <Empty title={wanted.trouble ? "Every message was taken" : "No such message"} icon={wanted.trouble ? "check" : "document"}>
                        {wanted.trouble ? "Refused and held messages and those without an answer come here, with what is wrong." : "Nothing in the log fits what you look for. Everything takes the filters away."}
                      </Empty>
                    ) : (
                      <Empty title="No message yet" icon="document">
                        Orders from sites and reports to them appear here, each with its fate. Endpoints are set up under Administration.
                      </Empty>
                    )
                  }
                />
              )}
            </div>
          </Panel>
          {messageId && <Detail key={messageId} id={messageId} onClose={close} zone={here.zone} label={here.label} />}
        </div>
        <Foot
          keys={[
            { keys: ["j", "k"], label: "move" },
            { keys: ["Enter"], label: "open" },
            { keys: ["f"], label: "trouble" },
            { keys: ["u"], label: "patient data" },
            { keys: ["v"], label: "fields" },
            { keys: ["r"], label: "process again" },
            { keys: ["Escape"], label: "close" },
          ]}
        />
      </div>
    </Page>
  );
}

/** Taken with Enter or when it is left, so that not each letter is a search. */
function Typed({ label, placeholder, value, onTake }: { label: string; placeholder: string; value: string; onTake: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const take = () => {
    if (typed.trim() !== value) onTake(typed.trim());
  };
  return (
    <TextInput
      label={label}
      placeholder={placeholder}
      value={typed}
      autoComplete="off"
      spellCheck={false}
      maxLength={200}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={take}
      onKeyDown={(event) => {
        if (event.key === "Enter") take();
      }}
    />
  );
}
