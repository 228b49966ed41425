import { useElementSize } from "@mantine/hooks";
import { type Instant, MINUTE, ms } from "./time";
import { PriorityGlyph } from "./PriorityMark";
import { useNow } from "./now";

export interface Due {
  id: string;
  due: Instant;
  /** A family name; the full identity stands in the table below. */
  label: string;
  priority: string;
  /** Amber box: needs a person. */
  person?: boolean;
}

const LANES = 3;

/** Each promise of the next two hours at its minute; what is past due stands at the left in red. */
export function DeadlineRuler({ items, onOpen, minutes = 120 }: { items: readonly Due[]; onOpen?: (id: string) => void; minutes?: number }) {
  const now = useNow(MINUTE);
  const { ref, width: measured } = useElementSize();
  const width = Math.max(700, Math.round(measured) || 1300);
  const sorted = [...items].sort((a, b) => ms(a.due) - ms(b.due));
  const past = sorted.filter((one) => ms(one.due) < now);
  // The box of what is past due takes its longest name: names are not cut.
  const start = Math.max(96, 52 + Math.max(0, ...past.slice(0, LANES).map((one) => one.label.length)) * 7.8);
  const scale = (width - start - 24) / minutes;
  const x = (at: number) => start + ((at - now) / MINUTE) * scale;
  const coming = sorted.filter((one) => ms(one.due) >= now && ms(one.due) <= now + minutes * MINUTE);
  const free = Array.from({ length: LANES }, () => start - 20);
  const laid: { item: Due; x: number; lane: number }[] = [];
  let hidden = 0;
  for (const item of coming) {
    const at = x(ms(item.due)) - 9;
    const lane = free.findIndex((end) => end <= at);
    if (lane < 0) {
      hidden += 1;
      continue;
    }
    free[lane] = at + 30 + item.label.length * 7.2;
    laid.push({ item, x: at, lane });
  }
  const step = minutes / 8;

  return (
    <div ref={ref}>
      <svg viewBox={`0 0 ${width} 98`} width="100%" role="group" aria-label={`${coming.length} promises due in the next ${minutes / 60} hours, ${past.length} past due`}>
        {Array.from({ length: 9 }, (_, index) => {
          const at = start + index * step * scale;
          const minute = index * step;
          return (
            <g key={index}>
              <line x1={at} x2={at} y1={14} y2={80} stroke="var(--line)" />
              <text className="ax" x={at} y={94} textAnchor={index === 8 ? "end" : "middle"}>
                {index === 0 ? "now" : index === 8 ? `${minutes / 60} h` : `${minute} min`}
              </text>
            </g>
          );
        })}
        {past.length > 0 && (
          <>
            <rect x={0} y={14} width={start - 14} height={66} rx={3} fill="var(--red-soft)" />
            <text x={8} y={94} className="ax" style={{ fill: "var(--red)" }}>
              past due {past.length}
            </text>
            {past.slice(0, past.length > LANES ? LANES - 1 : LANES).map((item, lane) => (
              <Item key={item.id} item={item} x={10} y={15 + lane * 22} broken onOpen={onOpen} />
            ))}
            {past.length > LANES && (
              <text x={13} y={28 + (LANES - 1) * 22} className="ax-s" style={{ fill: "var(--red)" }}>
                and {past.length - LANES + 1} more
              </text>
            )}
          </>
        )}
        <line x1={start} x2={start} y1={8} y2={80} stroke="var(--text)" strokeWidth={1.5} />
        <line x1={start} x2={width - 24} y1={80.5} y2={80.5} stroke="var(--line-2)" />
        <line x1={start} x2={start + Math.min(60, minutes) * scale} y1={80.5} y2={80.5} stroke="var(--amber-solid)" strokeWidth={2} />
        {laid.map(({ item, x: at, lane }) => (
          <Item key={item.id} item={item} x={at} y={15 + lane * 22} onOpen={onOpen} />
        ))}
        {hidden > 0 && (
          <text x={width - 24} y={10} className="ax" textAnchor="end">
            {hidden} more at the same minutes, in the table
          </text>
        )}
      </svg>
    </div>
  );
}

function Item({ item, x, y, broken, onOpen }: { item: Due; x: number; y: number; broken?: boolean; onOpen?: (id: string) => void }) {
  const open = onOpen
    ? {
        role: "button",
        tabIndex: 0,
        className: "ruler-item",
        onClick: () => onOpen(item.id),
        onKeyDown: (event: { key: string }) => {
          if (event.key === "Enter") onOpen(item.id);
        },
      }
    : {};
  return (
    <g {...open}>
      {item.person && <rect x={x - 4} y={y - 2} width={31 + item.label.length * 7.4} height={22} rx={4} fill="var(--amber-soft)" stroke="var(--amber-line)" />}
      <PriorityGlyph priority={item.priority} x={x} y={y} />
      <text className="ax-s" x={x + 22} y={y + 13} style={broken ? { fill: "var(--red)", fontWeight: 620 } : undefined}>
        {item.label}
      </text>
    </g>
  );
}

export interface HistogramProps {
  /** Counts of equal classes from 0. */
  counts: readonly number[];
  /** Width of a class, in `unit`. */
  step: number;
  unit: string;
  /** A line, and what is past it is quieter. */
  promise?: number;
  label: string;
}

export function Histogram({ counts, step, unit, promise, label }: HistogramProps) {
  const { ref, width: measured } = useElementSize();
  const width = Math.max(280, Math.round(measured) || 420);
  const raw = Math.max(1, ...counts);
  const unitTick = 10 ** Math.floor(Math.log10(raw));
  const top = [1, 2, 3, 4, 6, 8, 10].map((factor) => factor * unitTick).find((candidate) => candidate >= raw) ?? raw;
  const bar = (width - 44) / counts.length;
  const y = (count: number) => 118 - (count / top) * 100;
  const every = Math.max(1, Math.round(counts.length / 4));
  return (
    <div ref={ref}>
      <svg viewBox={`0 0 ${width} 138`} width="100%" role="img" aria-label={label}>
        {[0, top / 2, top].map((count) => (
          <g key={count}>
            <line x1={30} x2={width - 10} y1={y(count)} y2={y(count)} stroke="var(--line-2)" />
            <text className="ax" x={24} y={y(count) + 4} textAnchor="end">
              {count}
            </text>
          </g>
        ))}
        {counts.map((count, index) => (
          <rect
            key={index}
            x={32 + index * bar}
            y={y(count)}
            width={Math.max(1, bar - 4)}
            height={118 - y(count)}
            rx={1.5}
            fill={promise !== undefined && (index + 0.5) * step > promise ? "var(--c-2)" : "var(--c-1)"}
          >
            <title>{`${index * step} to ${(index + 1) * step} ${unit}: ${count}`}</title>
          </rect>
        ))}
        {promise !== undefined && (
          <>
            <line x1={30 + (promise / step) * bar} x2={30 + (promise / step) * bar} y1={6} y2={118} stroke="var(--text)" strokeWidth={1.5} />
            <text className="ax-s" x={24 + (promise / step) * bar} y={14} textAnchor="end">
              promise {promise} {unit}
            </text>
          </>
        )}
        {counts.map((_, index) =>
          index % every === 0 ? (
            <text key={index} className="ax" x={30 + index * bar} y={133} textAnchor="middle">
              {index * step}
            </text>
          ) : null,
        )}
        <text className="ax" x={width - 6} y={133} textAnchor="end">
          {unit}
        </text>
      </svg>
    </div>
  );
}

export interface CoverageRow {
  label: string;
  /** Hours 0 to 24, UTC. */
  shifts: readonly (readonly [number, number])[];
  /** Hours nobody covers. */
  nobody?: readonly (readonly [number, number])[];
}

/** Who covers what over 24 hours (UTC); an amber gap says "nobody". */
export function Coverage({ rows, nowHour, label }: { rows: readonly CoverageRow[]; nowHour?: number; label: string }) {
  const { ref, width: measured } = useElementSize();
  const width = Math.max(320, Math.round(measured) || 420);
  const from = 84;
  const scale = (width - from - 6) / 24;
  const bottom = rows.length * 23;
  return (
    <div ref={ref}>
      <svg viewBox={`0 0 ${width} ${bottom + 21}`} width="100%" role="img" aria-label={label}>
        {rows.map((row, index) => {
          const y = 4 + index * 23;
          return (
            <g key={row.label}>
              <text x={0} y={y + 12} className="ax-s">
                {row.label}
              </text>
              <rect x={from} y={y} width={24 * scale} height={17} fill="var(--night)" />
              {row.shifts.map(([a, b]) => (
                <rect key={a} x={from + a * scale} y={y + 2} width={(b - a) * scale} height={13} rx={2} fill="var(--c-1)" fillOpacity={0.75} />
              ))}
              {row.nobody?.map(([a, b]) => (
                <g key={a}>
                  <rect x={from + a * scale} y={y + 1} width={(b - a) * scale} height={15} rx={2} fill="var(--amber-soft)" stroke="var(--amber)" />
                  {(b - a) * scale > 46 && (
                    <text x={from + a * scale + 5} y={y + 12} style={{ fontSize: 11, fill: "var(--amber)" }}>
                      nobody
                    </text>
                  )}
                </g>
              ))}
            </g>
          );
        })}
        {[0, 6, 12, 18].map((hour) => (
          <text key={hour} className="ax" x={from + hour * scale} y={bottom + 15} textAnchor="middle">
            {String(hour).padStart(2, "0")}
          </text>
        ))}
        <text className="ax" x={width - 6} y={bottom + 15} textAnchor="end">
          UTC
        </text>
        {nowHour !== undefined && <line x1={from + nowHour * scale} x2={from + nowHour * scale} y1={0} y2={bottom} stroke="var(--text)" strokeWidth={1.5} />}
      </svg>
    </div>
  );
}
