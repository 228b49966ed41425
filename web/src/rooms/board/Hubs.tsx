import { useElementSize } from "@mantine/hooks";
import { useState } from "react";
import { Button, clock, csv, download, Empty, HOUR, IconButton, MINUTE, near, Panel, PriorityMark, useNow, zoneCity } from "../../kit";
import { lights, ribbon } from "./hubLayout";
import { type BoardCase, type BoardReader, hubs, isOn, nameOf } from "./words";

const LEFT = 104;
const LANE = 19;

/** Who is on at each hub over 24 hours, on its day and night; what waits there now. Nothing here is a forecast. */
export function Hubs({ readers, cases }: { readers: readonly BoardReader[]; cases: readonly BoardCase[] }) {
  const now = useNow(MINUTE);
  const [asTable, setAsTable] = useState(false);
  const all = hubs(readers, cases);
  const waiting = all.reduce((sum, hub) => sum + hub.waiting, 0);
  const save = () =>
    download(
      "who-is-on.csv",
      csv([
        ["hub", "time zone", "reader", "shift from (UTC)", "shift to (UTC)", "open", "places"],
        ...all.flatMap((hub) => hub.readers.map((reader) => [hub.name, hub.zone, reader.name, reader.shift_starts_at, reader.shift_ends_at, reader.open, reader.capacity])),
      ]),
    );
  return (
    <Panel
      className="hubs clip"
      title="Hubs over 24 h"
      sub={all.length ? `who is on, and the ${waiting} that wait now` : undefined}
      end={
        <>
          <span className="lg no12">
            <i className="lg-on" />
            on shift
          </span>
          <span className="lg no12">
            <i className="lg-next" />
            comes on
          </span>
          <span className="lg no12">
            <i className="lg-day" />
            day there
          </span>
          <Button size="sm" look="quiet" icon="columns" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            {asTable ? "Chart" : "Table"}
          </Button>
          <IconButton size="sm" icon="download" label="Download as CSV" onClick={save} />
        </>
      }
    >
      {all.length === 0 ? (
        <Empty title="Nobody is on" icon="people">
          Readers appear here with their shifts. Shifts are entered under Administration.
        </Empty>
      ) : asTable ? (
        <HubTable readers={readers} cases={cases} now={now} />
      ) : (
        <Chart readers={readers} cases={cases} now={now} />
      )}
    </Panel>
  );
}

function Chart({ readers, cases, now }: { readers: readonly BoardReader[]; cases: readonly BoardCase[]; now: number }) {
  const { ref, width: measured, height: tall } = useElementSize();
  const width = Math.max(560, Math.round(measured) || 820);
  const from = Math.floor((now - 6 * HOUR) / HOUR) * HOUR;
  const to = from + 24 * HOUR;
  const right = width - 12;
  const x = (at: number) => LEFT + ((at - from) / (to - from)) * (right - LEFT);
  const rows = hubs(readers, cases).map((hub) => ribbon(hub, from, to, now));
  const needed = rows.map((row) => Math.max(54, row.lanes * LANE + 10));
  const spare = Math.max(0, (tall || 240) - 26 - needed.reduce((sum, height) => sum + height + 8, 0)) / Math.max(1, rows.length);
  const heights = needed.map((height) => height + Math.min(spare, 34));
  const tops = heights.map((_, index) => 6 + heights.slice(0, index).reduce((sum, height) => sum + height + 8, 0));
  const bottom = (tops.at(-1) ?? 0) + (heights.at(-1) ?? 0) + 4;
  const ticks = Array.from({ length: 9 }, (_, index) => from + index * 3 * HOUR);
  const label = `Who is on at ${rows.map((row) => row.hub.name).join(", ")} over 24 hours; the table beside it has the same data`;
  return (
    <div className="hubs-b scroll" ref={ref}>
      <svg width={width} height={bottom + 20} role="img" aria-label={label}>
        {rows.map(({ hub, bars }, index) => {
          const y = tops[index] ?? 0;
          const height = heights[index] ?? 0;
          const on = hub.readers.filter((reader) => isOn(reader, now)).length;
          return (
            <g key={hub.name}>
              <text x={12} y={y + 15} style={{ fontSize: 13, fontWeight: 620, fill: "var(--text)" }}>
                {hub.name}
              </text>
              <text x={12} y={y + 31} className="ax-q">
                {clock(now, hub.zone)}, {on} on
              </text>
              <text x={12} y={y + 47} className="ax-q" style={hub.waiting > 0 && on === 0 ? { fill: "var(--amber)" } : undefined}>
                {hub.waiting} waiting
              </text>
              {lights(from, to, hub.zone).map((one) => (
                <rect key={one.from} x={x(one.from)} y={y} width={Math.max(0, x(one.to) - x(one.from))} height={height} fill={`var(--${one.light})`} />
              ))}
              {ticks.map((at) => (
                <line key={at} x1={x(at)} x2={x(at)} y1={y} y2={y + height} stroke="var(--line)" />
              ))}
              {bars.map((bar) => {
                const left = x(bar.from);
                const wide = Math.max(3, x(bar.to) - left - 1);
                const top = y + 5 + bar.lane * LANE;
                const text = `${bar.reader.name.replace(/^Dr\.?\s+/, "")}  ${bar.reader.open}/${bar.reader.capacity}`;
                return (
                  <g key={bar.reader.reader_id}>
                    <title>{`${bar.reader.name}: ${bar.reader.open} of ${bar.reader.capacity} places taken`}</title>
                    <rect x={left} y={top} width={wide} height={LANE - 4} rx={2.5} fill={bar.on ? "var(--c-1-fill)" : "var(--c-2-fill)"} stroke={bar.on ? "var(--c-1)" : "var(--c-2)"} strokeWidth={0.8} strokeDasharray={bar.on ? undefined : "3 2"} />
                    {text.length * 6 + 10 < wide && (
                      <text x={Math.max(left, LEFT) + 6} y={top + 11} className="ax-s">
                        {text}
                      </text>
                    )}
                  </g>
                );
              })}
            </g>
          );
        })}
        {ticks.map((at) => (
          <g key={at}>
            <text className="ax" x={x(at)} y={bottom + 14} textAnchor={at === to ? "end" : "middle"} visibility={Math.abs(x(at) - x(now)) < 34 ? "hidden" : undefined}>
              {clock(at, "UTC").slice(0, 2)}
            </text>
          </g>
        ))}
        <text className="ax" x={12} y={bottom + 14}>
          UTC
        </text>
        <line x1={x(now)} x2={x(now)} y1={2} y2={bottom} stroke="var(--text)" strokeWidth={1.5} />
        <rect x={x(now) - 19} y={bottom + 2} width={38} height={16} rx={3} fill="var(--text)" />
        <text x={x(now)} y={bottom + 14} textAnchor="middle" style={{ fontSize: 11, fontWeight: 620, fill: "var(--panel)" }}>
          {clock(now, "UTC")}
        </text>
      </svg>
    </div>
  );
}

function HubTable({ readers, cases, now }: { readers: readonly BoardReader[]; cases: readonly BoardCase[]; now: number }) {
  return (
    <div className="scroll">
      <table aria-label="Who is on at each hub" className="inset">
        <thead>
          <tr>
            <th>Hub</th>
            <th style={{ width: 90 }}>Time there</th>
            <th>Reader</th>
            <th>From (own time)</th>
            <th>To (own time)</th>
            <th className="r" style={{ width: 80 }}>
              Open
            </th>
          </tr>
        </thead>
        <tbody>
          {hubs(readers, cases).flatMap((hub) =>
            hub.readers.map((reader, index) => (
              <tr key={reader.reader_id}>
                <td className="m">{index === 0 ? `${hub.name}, ${hub.waiting} waiting` : ""}</td>
                <td className="num q">{index === 0 ? clock(now, hub.zone) : ""}</td>
                <td>{reader.name}</td>
                <td className="num q">{reader.shift_starts_at ? `${near(reader.shift_starts_at, hub.zone, now)} ${zoneCity(hub.zone)}` : "–"}</td>
                <td className="num q">{reader.shift_ends_at ? `${near(reader.shift_ends_at, hub.zone, now)} ${zoneCity(hub.zone)}` : "–"}</td>
                <td className="num r">
                  {reader.open}/{reader.capacity}
                </td>
              </tr>
            )),
          )}
        </tbody>
      </table>
    </div>
  );
}

/** The promises of the ruler as a table. */
export function PromiseTable({ cases, now, onOpen }: { cases: readonly BoardCase[]; now: number; onOpen: (item: BoardCase) => void }) {
  return (
    <div className="scroll">
      <table aria-label="Promises due in 2 hours" className="inset">
        <thead>
          <tr>
            <th style={{ width: 44 }}>Pri</th>
            <th style={{ width: 110 }}>Due, UTC</th>
            <th style={{ width: 130 }}>Due there</th>
            <th>Patient</th>
            <th>Exam</th>
            <th>Reader</th>
          </tr>
        </thead>
        <tbody>
          {cases.map((item) => (
            <tr key={item.case_id}>
              <td>
                <PriorityMark priority={item.priority} />
              </td>
              <td className={`num${item.due_at && Date.parse(item.due_at) < now ? " red" : ""}`}>{item.due_at ? clock(item.due_at, "UTC") : ""}</td>
              <td className="num q">{item.due_at ? `${clock(item.due_at, item.facility.time_zone)} ${item.facility.short_name}` : ""}</td>
              <td>
                <button type="button" className="txt" onClick={() => onOpen(item)}>
                  {nameOf(item.patient)}
                </button>
              </td>
              <td>{item.exam}</td>
              <td>{item.reader?.name ?? <span className="amber">No reader</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
