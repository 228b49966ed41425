import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { api, url } from "../../api/client";
import type { Topic } from "../../api/live";
import { herePlace, useSession } from "../../api/session";
import type { ListItem, ListTab, MyList } from "../../api/types";
import { Button, ColumnsButton, DataTable, Empty, ErrorState, Foot, left, MINUTE, ms, Page, patientName, ReasonDialog, SkeletonRows, Tabs, toast, useKeys, useNow, useTable } from "../../kit";
import { startViewer } from "../read/viewer/store";
import { columns } from "./columns";
import { Preview } from "./Preview";
import { begun, EMPTY, HAND_BACK, isTab, summary, tabsOf, toneOf } from "./words";
import "./list.css";

const TOPICS: readonly Topic[] = ["case", "study", "order", "report", "shift"];
const PREVIEW = "hg-list-preview";

/** A reader's list: what to read, in which order, and why it is theirs. */
export default function ListPage() {
  const session = useSession();
  const navigate = useNavigate();
  const here = herePlace(session);
  const me = session.user.display_name;
  const now = useNow();
  const [params, setParams] = useSearchParams();
  const tabName = params.get("tab");
  const tab: ListTab = isTab(tabName) ? tabName : "mine";
  const list = useQuery({
    queryKey: ["my-list", tab],
    queryFn: ({ signal }) => api.get<MyList>(`/api/my-list?tab=${tab}`, signal),
    placeholderData: (before) => before,
    meta: { topics: TOPICS },
    // Tabs are cut by the clock: a case becomes due without any event.
    refetchInterval: MINUTE,
  });
  const next = useQuery({ queryKey: ["next"], queryFn: ({ signal }) => api.get<ListItem | null>("/api/next", signal), meta: { topics: TOPICS } });
  const items = list.data?.items ?? [];
  const [chosen, setChosen] = useState<string | null>(null);
  const [preview, setPreview] = useState(() => readPreview());
  const [dialog, setDialog] = useState<{ kind: "hand-back" | "addendum"; item: ListItem } | null>(null);
  const table = useTable<ListItem>("my-list", columns(here, me, now), items, (item) => item.read_id, { id: "left" });
  const current = useCurrent(items, chosen, table.table.getRowModel().rows[0]?.original);

  // The viewer's programs are loaded while the list is looked at, so that the first case opens as fast as the tenth.
  useEffect(() => {
    const timer = setTimeout(startViewer, 1500);
    return () => clearTimeout(timer);
  }, []);

  const open = (item: ListItem) => {
    if (item.state === "done") void navigate(`/case/${item.case_id}`);
    else void navigate(`/read/${item.read_id}`);
  };
  const openNext = async () => {
    // Asked at the moment of the key: what was next a minute ago may be open elsewhere by now.
    const fresh = await next.refetch();
    const wanted = fresh.data ?? begun(items, me);
    if (wanted) open(wanted);
    else toast({ tone: fresh.isError ? "warn" : "plain", text: fresh.isError ? "The server does not answer; your list is as it was." : "Nothing is waiting to be read by you" });
  };
  const togglePreview = () => setPreview((before) => remember(!before));
  const setTab = (id: string) => setParams(id === "mine" ? {} : { tab: id }, { replace: true });
  useKeys("List", [
    { id: "list.next-case", keys: ["n"], label: "Open the next case", run: () => void openNext() },
    { id: "list.preview", keys: ["Space"], label: "Preview on or off", run: togglePreview },
    { id: "list.hand-back", keys: ["b"], label: "Hand back with a reason", when: () => current !== undefined && current.state !== "done", run: () => current && setDialog({ kind: "hand-back", item: current }) },
    ...tabsOf(undefined).map((one, index) => ({ id: `list.tab.${one.id}`, keys: [String(index + 1)], label: `Tab: ${one.label}`, run: () => setTab(one.id) })),
  ]);

  return (
    <Page title="My list" windowTitle="My list">
      <div className={`lay${preview ? "" : " no-side"}`}>
        <div className="head">
          <Tabs label="Filters" tabs={tabsOf(list.data?.counts)} value={tab} onChange={setTab} />
          <span className="grow" />
          <ColumnsButton state={table} />
          <NextButton next={next.data ?? begun(items, me)} now={now} onOpen={() => void openNext()} />
        </div>
        <div className="list">
          {list.data ? (
            <DataTable
              state={table}
              label="My list"
              main
              selected={current?.read_id ?? null}
              onSelect={setChosen}
              onOpen={open}
              rowTone={(item) => toneOf(item, me, now)}
              empty={
                <Empty title={EMPTY[tab].title} icon={tab === "done" || tab === "late" ? "check" : "list"}>
                  {EMPTY[tab].text}
                </Empty>
              }
            />
          ) : list.isError ? (
            <ErrorState error={list.error} retry={() => void list.refetch()} />
          ) : (
            <SkeletonRows rows={16} />
          )}
        </div>
        {preview &&
          (current ? (
            <Preview key={current.read_id} item={current} me={me} here={here} onOpen={() => open(current)} onHandBack={() => setDialog({ kind: "hand-back", item: current })} onAddendum={() => setDialog({ kind: "addendum", item: current })} />
          ) : (
            <aside className="side" aria-label="Preview">
              {list.data && <Empty title="No case chosen" icon="eye">What you choose in the list is shown here: why it is yours, the question, priors and first images.</Empty>}
            </aside>
          ))}
        <Foot
          keys={[
            { keys: ["j", "k"], label: "move" },
            { keys: ["Enter"], label: "open" },
            { keys: ["n"], label: "next" },
            { keys: ["Space"], label: "preview" },
            { keys: ["b"], label: "hand back" },
            { keys: ["/"], label: "search" },
            { keys: ["?"], label: "all keys" },
          ]}
        >
          {list.isError && list.data && <span className="amber">The list could not be renewed; trying again.</span>}
          <span className="num">{summary(items, now)}</span>
        </Foot>
      </div>
      {dialog?.kind === "hand-back" && (
        <ReasonDialog
          title={`Hand back ${dialog.item.exam}`}
          confirm="Hand back"
          usual={HAND_BACK}
          onClose={() => setDialog(null)}
          onReason={async (reason) => {
            await api.post(url`/api/reads/${dialog.item.read_id}/hand-back`, { reason });
            setDialog(null);
            toast({ tone: "done", text: "Handed back; it is offered to others at once" });
            await Promise.all([list.refetch(), next.refetch()]);
          }}
        >
          <p>
            {dialog.item.patient ? patientName(dialog.item.patient) : "This case"} goes to the next reader who may read it. The clock goes on.
          </p>
        </ReasonDialog>
      )}
      {dialog?.kind === "addendum" && (
        <ReasonDialog
          title={`Addendum to ${dialog.item.exam}`}
          confirm="Open addendum"
          onClose={() => setDialog(null)}
          onReason={async (reason) => {
            const { read_id } = await api.post<{ read_id: string }>(url`/api/cases/${dialog.item.case_id}/addendum`, { reason });
            void navigate(`/read/${read_id}`);
          }}
        >
          <p>The signed report stays as it is; what you add becomes its next version and is sent to the site.</p>
        </ReasonDialog>
      )}
    </Page>
  );
}

/** The chosen row while it is there, else what took its place, so that a list that changes does not lose the reader's spot. */
function useCurrent(items: readonly ListItem[], chosen: string | null, first: ListItem | undefined): ListItem | undefined {
  const at = useRef(0);
  const index = items.findIndex((item) => item.read_id === chosen);
  useEffect(() => {
    if (index >= 0) at.current = index;
  }, [index]);
  const [fallback, setFallback] = useState<string | null>(null);
  useEffect(() => {
    if (chosen && index < 0 && items.length) setFallback(items[Math.min(at.current, items.length - 1)]?.read_id ?? null);
  }, [chosen, index, items]);
  if (index >= 0) return items[index];
  return items.find((item) => item.read_id === fallback) ?? first;
}

function NextButton({ next, now, onOpen }: { next: ListItem | null | undefined; now: number; onOpen: () => void }) {
  if (!next) {
    return (
      <Button keyHint="n" disabled>
        Nothing next
      </Button>
    );
  }
  const rest = next.due_at ? left(ms(next.due_at) - now) : null;
  const who = next.patient?.family_name ?? "unmatched";
  return (
    <Button look="primary" className="nextb" keyHint="n" onClick={onOpen} title={`Opens what is due first and is not open anywhere: ${next.exam}`}>
      <span>
        Next: {who} {rest && <span className="num">{`${rest.sign}${rest.value} ${rest.unit}${rest.rest ? ` ${rest.rest}` : ""}`.trim()}</span>}
      </span>
    </Button>
  );
}

function readPreview(): boolean {
  try {
    return localStorage.getItem(PREVIEW) !== "off";
  } catch {
    return true;
  }
}

function remember(on: boolean): boolean {
  try {
    localStorage.setItem(PREVIEW, on ? "on" : "off");
  } catch {
    // For this page only.
  }
  return on;
}
