/**
 * What the client asked for, told by letter, shape and fill: octagon at once, diamond STAT, hexagon and pentagon soon, square by
 * clock time, circle routine. Never red or amber: those mean only how the promise stands.
 */
const OCTAGON = "M6.3 1h7.4L19 6.3v7.4L13.7 19H6.3L1 13.7V6.3Z";
const DIAMOND = "M10 .8 19.2 10 10 19.2.8 10Z";
const HEXAGON = "M5.3 1.8h9.4L19.3 10l-4.6 8.2H5.3L.7 10Z";
const PENTAGON = "M10 1l9 6.8-3.3 10.4H4.3L1 7.8Z";
const SQUARE = "M3 2h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V3a1 1 0 0 1 1-1Z";
const CIRCLE = "M10 1.7a8.3 8.3 0 1 1 0 16.6 8.3 8.3 0 0 1 0-16.6Z";

export const PRIORITIES = {
  TRAUMA1: { rank: 0, letter: "T", shape: OCTAGON, label: "Trauma activation" },
  STROKE: { rank: 0, letter: "K", shape: OCTAGON, label: "Code stroke" },
  STAT: { rank: 1, letter: "S", shape: DIAMOND, label: "STAT" },
  ASAP: { rank: 2, letter: "A", shape: HEXAGON, label: "As soon as possible" },
  URGENT: { rank: 3, letter: "U", shape: PENTAGON, label: "Urgent" },
  PREOP: { rank: 3, letter: "P", shape: SQUARE, label: "Before surgery" },
  TIMED: { rank: 4, letter: "M", shape: SQUARE, label: "Timed" },
  ROUTINE: { rank: 4, letter: "R", shape: CIRCLE, label: "Routine" },
  SCREEN: { rank: 5, letter: "C", shape: CIRCLE, label: "Screening" },
} as const;

type Known = keyof typeof PRIORITIES;

/** A code we don't know is drawn as routine: the server never sends one, and a list must not fail over it. */
export function priorityOf(code: string): Known {
  return code in PRIORITIES ? (code as Known) : "ROUTINE";
}

/** Lower is sooner: for sorting by priority. */
export function priorityRank(code: string): number {
  return PRIORITIES[priorityOf(code)].rank;
}

export function PriorityMark({ priority, large, withLabel }: { priority: string; large?: boolean; withLabel?: boolean }) {
  const known = PRIORITIES[priorityOf(priority)];
  return (
    <span className={`pri p${known.rank}${large ? " lg" : ""}`} title={known.label}>
      <svg viewBox="0 0 20 20" role="img" aria-label={known.label}>
        <path className="sh" d={known.shape} />
        <text x="10" y={known.shape === PENTAGON ? 14.2 : 13.7}>
          {known.letter}
        </text>
      </svg>
      {withLabel && <span aria-hidden="true">{known.label}</span>}
    </span>
  );
}

/** The same mark inside another SVG, its top left corner at x, y. */
export function PriorityGlyph({ priority, x, y, scale = 0.9 }: { priority: string; x: number; y: number; scale?: number }) {
  const known = PRIORITIES[priorityOf(priority)];
  return (
    <g className={`pri p${known.rank}`} transform={`translate(${x} ${y}) scale(${scale})`}>
      <title>{known.label}</title>
      <path className="sh" d={known.shape} />
      <text x="10" y={known.shape === PENTAGON ? 14.2 : 13.7}>
        {known.letter}
      </text>
    </g>
  );
}
