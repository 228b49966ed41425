import { useState } from "react";
import { api, url } from "../../api/client";
import { Avatar, Button, type Column, clock, DAY, day, exact, HOUR, MINUTE, ms, near, Panel, Segments, toast, useKeys, useNow, zoneCity } from "../../kit";
import { nameIn, options, renew, useAdminList, useOrganizations, useReaders } from "./data";
import { ListSection } from "./ListSection";
import { RecordDialog } from "./RecordDialog";
import { Change } from "./Sites";
import type { ReaderFacts, Shift } from "./types";
import { shiftTimes } from "./words";

/** Who is on, two weeks ahead. Times are typed as clocks show them where the reader sits. */
export function Shifts() {
  const now = useNow(MINUTE);
  const list = useAdminList<Shift>("shifts");
  const readers = useReaders();
  const organizations = useOrganizations();
  const [adding, setAdding] = useState(false);
  const [view, setView] = useState<"chart" | "list">("chart");
  const groups = organizations.data?.filter((one) => one.kind === "reading_group");
  const reader = (id: string) => readers.data?.find((one) => one.reader_id === id);
  const zone = (id: string) => reader(id)?.places.find((place) => place.is_current)?.time_zone ?? reader(id)?.places[0]?.time_zone ?? "UTC";
  const remove = async (shift: Shift) => {
    try {
      await api.del(url`/api/admin/shifts/${shift.id}`);
      renew("shifts");
      const { organization_id, reader_id, starts_at, ends_at } = shift;
      toast({ text: "Shift taken away", undo: async () => (await api.post("/api/admin/shifts", { organization_id, reader_id, starts_at, ends_at }), renew("shifts")) });
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "Not taken away" });
    }
  };
  const columns: Column<Shift>[] = [
    {
      id: "reader",
      head: "Reader",
      width: 230,
      cell: (one) => (
        <span className="row">
          <Avatar name={reader(one.reader_id)?.name ?? "?"} small />
          <span className="m">{reader(one.reader_id)?.name ?? "not among your readers"}</span>
        </span>
      ),
      sort: (one) => reader(one.reader_id)?.name,
    },
    { id: "group", head: "Group", width: 160, cell: (one) => <span className="q">{nameIn(organizations.data, one.organization_id)}</span>, sort: (one) => nameIn(organizations.data, one.organization_id) },
    { id: "from", head: "From, own time", width: 190, cell: (one) => <span className="num">{`${near(one.starts_at, zone(one.reader_id), now)} ${zoneCity(zone(one.reader_id))}`}</span>, sort: (one) => one.starts_at },
    { id: "to", head: "To", width: 130, cell: (one) => <span className="num">{near(one.ends_at, zone(one.reader_id), now)}</span>, sort: (one) => one.ends_at },
    { id: "utc", head: "UTC", cell: (one) => <span className="num q">{`${day(one.starts_at, "UTC")} ${clock(one.starts_at, "UTC")} to ${clock(one.ends_at, "UTC")}`}</span> },
    { id: "length", head: "Length", width: 84, align: "right", cell: (one) => <span className="num q">{exact(ms(one.ends_at) - ms(one.starts_at)).replace(/:00$/, "")}</span>, sort: (one) => ms(one.ends_at) - ms(one.starts_at) },
    { id: "remove", head: "", width: 96, cell: (one) => (ms(one.ends_at) > now ? <Change onClick={() => void remove(one)}>Take away</Change> : null) },
  ];
  useKeys("Administration", [{ id: "admin.add", keys: ["n"], label: "New shifts", run: () => setAdding(true) }]);
  const seg = (
    <Segments<"chart" | "list">
      small
      label="How it is shown"
      value={view}
      onChange={setView}
      options={[
        { id: "chart", label: "Chart" },
        { id: "list", label: "Table" },
      ]}
    />
  );
  return (
    <>
      {view === "list" || !list.data?.length ? (
        <ListSection<Shift>
          id="shifts"
          title="Shifts"
          sub="from yesterday to two weeks ahead"
          query={list}
          rowId={(one) => one.id}
          sort="from"
          tone={(one) => (ms(one.ends_at) <= now ? "away" : undefined)}
          end={list.data?.length ? seg : undefined}
          add={{ label: "New shifts", run: () => setAdding(true) }}
          columns={columns}
          empty={{ title: "No shift", text: "Only readers who are on get cases. Enter who is on, and from when to when where they sit.", icon: "timeline" }}
        />
      ) : (
        <Panel
          className="clip full"
          title="Shifts"
          count={list.data.length}
          sub="the next seven days, UTC"
          end={
            <>
              {seg}
              <Button size="sm" icon="plus" keyHint="n" onClick={() => setAdding(true)}>
                New shifts
              </Button>
            </>
          }
        >
          <Week shifts={list.data} readers={readers.data ?? []} now={now} />
        </Panel>
      )}
      {adding && (
        <RecordDialog
          title="New shifts"
          save="Enter"
          fields={[
            { name: "organization_id", label: "Group", kind: "select", required: true, half: true, options: options(groups) },
            { name: "reader_id", label: "Reader", kind: "select", required: true, half: true, options: (readers.data ?? []).map((one) => ({ value: one.reader_id, label: `${one.name}, ${zoneCity(zone(one.reader_id))}` })) },
            { name: "date", label: "First day", kind: "date", required: true, half: true },
            { name: "days", label: "Days", kind: "number", required: true, half: true, hint: "One shift a day" },
            { name: "from", label: "From", kind: "time", required: true, half: true, hint: "As clocks show where the reader sits" },
            { name: "to", label: "To", kind: "time", required: true, half: true, hint: "Earlier than From: on the next day" },
          ]}
          start={{ organization_id: groups?.length === 1 ? (groups[0]?.id ?? null) : null, days: 1, date: new Date(now).toISOString().slice(0, 10), from: "08:00", to: "16:00" }}
          onClose={() => setAdding(false)}
          onSave={async (values) => {
            const who = String(values.reader_id);
            const times = shiftTimes(String(values.date), String(values.from), String(values.to), zone(who), Math.min(31, Math.max(1, Number(values.days))));
            let made = 0;
            try {
              for (const time of times) {
                await api.post("/api/admin/shifts", { organization_id: values.organization_id, reader_id: who, ...time });
                made += 1;
              }
            } catch (error) {
              renew("shifts");
              throw made > 0 ? new Error(`${made} of ${times.length} entered, then: ${error instanceof Error ? error.message : "refused"}`) : error;
            }
            renew("shifts");
            toast({ tone: "done", text: made === 1 ? "Shift entered" : `${made} shifts entered` });
          }}
        />
      )}
    </>
  );
}

const LEFT = 190;

function Week({ shifts, readers, now }: { shifts: readonly Shift[]; readers: readonly ReaderFacts[]; now: number }) {
  const from = Math.floor(now / DAY) * DAY;
  const to = from + 7 * DAY;
  const share = (at: number) => `${(((Math.min(Math.max(at, from), to) - from) / (to - from)) * 100).toFixed(3)}%`;
  const ids = [...new Set(shifts.filter((one) => ms(one.ends_at) > from && ms(one.starts_at) < to).map((one) => one.reader_id))];
  const nameOf = (id: string) => readers.find((one) => one.reader_id === id)?.name ?? "not among your readers";
  const ordered = ids.sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  return (
    <div className="scroll week" style={{ "--left": `${LEFT}px` } as React.CSSProperties}>
      <div className="wk-h">
        <span />
        <span className="wk-d">
          {Array.from({ length: 7 }, (_, index) => (
            <span key={index}>{new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "2-digit", month: "short", timeZone: "UTC" }).format(from + index * DAY)}</span>
          ))}
        </span>
      </div>
      {ordered.map((id) => (
        <div className="wk-r" key={id}>
          <span className="row">
            <Avatar name={nameOf(id)} small />
            <span className="m">{nameOf(id).replace(/^Dr\.?\s+/, "")}</span>
          </span>
          <span className="wk-b">
            <u style={{ left: share(now) }} />
            {shifts
              .filter((one) => one.reader_id === id && ms(one.ends_at) > from && ms(one.starts_at) < to)
              .map((one) => {
                const words = `${clock(one.starts_at, "UTC")} to ${clock(one.ends_at, "UTC")} UTC`;
                const on = ms(one.starts_at) <= now && ms(one.ends_at) > now;
                return (
                  <i key={one.id} role="img" aria-label={words} title={words} className={on ? "on" : ms(one.ends_at) <= now ? "gone" : undefined} style={{ left: share(ms(one.starts_at)), width: `calc(${share(ms(one.ends_at))} - ${share(ms(one.starts_at))})` }}>
                    {ms(one.ends_at) - ms(one.starts_at) >= 6 * HOUR && <span className="num">{clock(one.starts_at, "UTC")}</span>}
                  </i>
                );
              })}
          </span>
        </div>
      ))}
    </div>
  );
}
