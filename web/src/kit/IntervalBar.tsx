import { useElementSize } from "@mantine/hooks";
import { clock, clockSeconds, exact, HOUR, type Instant, MINUTE, ms, type Place } from "./time";

export type IntervalTone = "quiet" | "arriving" | "waiting" | "reading";

export interface Interval {
  from: Instant;
  to: Instant;
  label: string;
  tone: IntervalTone;
}

export interface IntervalBarProps {
  intervals: readonly Interval[];
  /** The steps below the bar. */
  marks: readonly { at: Instant; label: string }[];
  promise?: { start: Instant; due: Instant; done?: Instant | null } | null;
  /** The axis: the site's time above, the reader's below. */
  places: readonly [Place, ...Place[]];
  label: string;
}

const TONES: Record<IntervalTone, { fill: string; ink: string; stroke?: string }> = {
  quiet: { fill: "var(--panel-3)", ink: "var(--quiet)", stroke: "var(--line-2)" },
  arriving: { fill: "var(--c-5)", ink: "var(--c-5-ink)" },
  waiting: { fill: "var(--accent-soft)", ink: "var(--text)", stroke: "var(--line-2)" },
  reading: { fill: "var(--accent)", ink: "var(--accent-ink)" },
};

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880].map((minutes) => minutes * MINUTE);
const WIDTH_OF_LETTER = 6.3;

function textWidth(text: string): number {
  return text.length * WIDTH_OF_LETTER;
}

/** A case's time as a bar: every interval, the promise as a bracket over it, both zones below. */
export function IntervalBar({ intervals, marks, promise, places, label }: IntervalBarProps) {
  const { ref, width: measured } = useElementSize();
  const width = Math.max(600, Math.round(measured) || 1200);
  const instants = [...intervals.flatMap((one) => [ms(one.from), ms(one.to)]), ...marks.map((one) => ms(one.at)), ...(promise ? [ms(promise.start), ms(promise.due)] : [])];
  const first = Math.min(...instants);
  const last = Math.max(first + MINUTE, ...instants);
  const scale = (width - 36 - 110) / (last - first);
  const x = (instant: Instant) => 36 + (ms(instant) - first) * scale;

  const step = STEPS.find((candidate) => candidate * scale >= 84) ?? 7 * 24 * HOUR;
  const ticks: number[] = [];
  for (let tick = Math.ceil(first / step) * step; x(tick) < width - 24; tick += step) ticks.push(tick);
  const axis = 118;
  const height = axis + places.length * 14 + 4;
  const posts = promise ? [x(promise.start), x(promise.due)] : [];
  const lanes = layLanes(marks.map((mark) => ({ x: x(mark.at), width: textWidth(mark.label) })), posts, width);

  return (
    <div ref={ref}>
      <svg viewBox={`0 0 ${width} ${height}`} width="100%" role="img" aria-label={label}>
        {ticks.map((tick) => (
          <g key={tick}>
            <line x1={x(tick)} x2={x(tick)} y1={20} y2={104} stroke="var(--line)" />
            {places.map((place, row) => (
              <text key={place.label} className="ax" x={x(tick)} y={axis + row * 14} textAnchor="middle">
                {clock(tick, place.zone)}
              </text>
            ))}
          </g>
        ))}
        {promise && <Promised promise={promise} x={x} zone={places[0].zone} width={width} />}
        {intervals.map((one) => {
          const from = x(one.from);
          const wide = Math.max(2, x(one.to) - from - 1);
          const length = exact(ms(one.to) - ms(one.from));
          const tone = TONES[one.tone];
          const full = textWidth(`${one.label} ${length}`) + 16 < wide;
          return (
            <g key={`${one.label}${ms(one.from)}`}>
              <title>{`${one.label}: ${length}`}</title>
              <rect x={from + 0.5} y={50} width={wide} height={26} rx={2} fill={tone.fill} stroke={tone.stroke} />
              {full ? (
                <text x={from + 8} y={67} style={{ fontSize: 12, fontWeight: 560, fill: tone.ink }}>
                  {one.label} <tspan style={{ fontWeight: 420 }}>{length}</tspan>
                </text>
              ) : (
                textWidth(length) + 10 < wide && (
                  <text x={from + 6} y={67} style={{ fontSize: 12, fill: tone.ink }}>
                    {length}
                  </text>
                )
              )}
            </g>
          );
        })}
        {marks.map((mark, index) => {
          const lane = lanes[index];
          if (!lane) return null;
          return (
            <g key={`${mark.label}${ms(mark.at)}`}>
              <title>{`${mark.label} ${clockSeconds(mark.at, places[0].zone)} ${places[0].label}`}</title>
              <path d={`M${x(mark.at)} 78l4 6h-8z`} fill="var(--text)" />
              {lane.shown && (
                <text className="ax-s" x={lane.x} y={97} textAnchor={lane.anchor}>
                  {mark.label}
                </text>
              )}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function Promised({ promise, x, zone, width }: { promise: NonNullable<IntervalBarProps["promise"]>; x: (at: Instant) => number; zone: string; width: number }) {
  const start = x(promise.start);
  const due = x(promise.due);
  const whole = ms(promise.due) - ms(promise.start);
  const used = promise.done != null ? ms(promise.done) - ms(promise.start) : null;
  const kept = used === null ? null : used <= whole;
  const end = promise.done != null ? Math.min(x(promise.done), due) : null;
  const verdict = used === null ? null : kept ? `kept, ${exact(whole - used)} left` : `broken by ${exact(used - whole)}`;
  return (
    <g>
      <rect x={start} y={24} width={Math.max(1, due - start)} height={18} rx={3} fill="none" stroke="var(--line-input)" strokeDasharray="3 3" />
      {end !== null && <rect x={start} y={24} width={Math.max(1, end - start)} height={18} rx={3} fill="var(--c-1-fill)" />}
      {due - start > 90 && (
        <text className="ax-s" x={start + 8} y={37}>
          {`Promise ${exact(whole)}`}
          {used !== null && due - start > 240 && `. Used ${exact(used)} to delivery`}
        </text>
      )}
      {verdict && (
        <text className="ax-s" x={Math.min(due + 8, width - 4)} y={37} textAnchor={due + 8 + textWidth(verdict) > width ? "end" : "start"} style={{ fontWeight: 560, fill: kept ? undefined : "var(--red)" }}>
          {verdict}
        </text>
      )}
      {[
        { at: promise.start, text: "clock starts" },
        { at: promise.due, text: "due" },
      ].map(({ at, text }) => (
        <g key={text}>
          <line x1={x(at)} x2={x(at)} y1={18} y2={104} stroke="var(--text)" strokeWidth={1.5} />
          <text className="ax" x={Math.max(x(at), text.length * 3.2 + 34)} y={13} textAnchor="middle">
            {text} {clockSeconds(at, zone)}
          </text>
        </g>
      ))}
    </g>
  );
}

interface Lane {
  x: number;
  anchor: "start" | "middle" | "end";
  shown: boolean;
}

/** Labels centred on their marks where there is room, else leaning away from the one before or from a post; what still collides is told on hover. */
export function layLanes(labels: { x: number; width: number }[], posts: readonly number[], width: number): Lane[] {
  let taken = -Infinity;
  const order = labels.map((one, index) => ({ ...one, index })).sort((a, b) => a.x - b.x);
  const laid: Lane[] = new Array<Lane>(labels.length);
  order.forEach((one, place) => {
    const following = order[place + 1]?.x ?? width;
    const options: { anchor: Lane["anchor"]; x: number; from: number }[] = [
      { anchor: "middle", x: one.x, from: one.x - one.width / 2 },
      { anchor: "start", x: one.x - 4, from: one.x - 4 },
      { anchor: "start", x: one.x + 5, from: one.x + 5 },
      { anchor: "end", x: one.x + 4, from: one.x + 4 - one.width },
    ];
    if (following - one.x < one.width) options.reverse();
    const free = (option: { from: number }) => option.from >= Math.max(taken + 6, 0) && option.from + one.width <= width;
    const clear = (option: { from: number }) => posts.every((post) => post < option.from - 2 || post > option.from + one.width + 2);
    const fit = options.find((option) => free(option) && clear(option)) ?? options.find(free);
    laid[one.index] = fit ? { x: fit.x, anchor: fit.anchor, shown: true } : { x: one.x, anchor: "middle", shown: false };
    if (fit) taken = fit.from + one.width;
  });
  return laid;
}
