import { Tooltip } from "@mantine/core";
import { useNow } from "./now";
import { HOUR, type Instant, inPlaces, left, MINUTE, ms, type Place, relative } from "./time";

export type DueTone = "far" | "near" | "hour" | "last" | "broken";

/** Colour is absolute: more than three hours, one to three, within the hour, the last quarter, past. */
export function dueTone(span: number): DueTone {
  if (span < 0) return "broken";
  if (span < 15 * MINUTE) return "last";
  if (span < HOUR) return "hour";
  if (span <= 3 * HOUR) return "near";
  return "far";
}

export interface TimeLeftProps {
  /** When the promise is due; null: nothing was promised, or the clock has not started. */
  due: Instant | null | undefined;
  /** When the promise began: the bar is the share that is left. Without it the bar is against one hour. */
  start?: Instant | null;
  /** Zones for the tooltip, the site's first. */
  places?: readonly Place[];
  /** The clock was stopped here (delivered or cancelled): the countdown stands, quiet. */
  stopped?: Instant | null;
  /** Leave the bar away (narrow columns). */
  bare?: boolean;
}

/** The countdown to a promise. Ticks each minute, each second in the last five minutes. */
export function TimeLeft({ due, start, places = [], stopped, bare }: TimeLeftProps) {
  const minute = useNow(MINUTE);
  const close = due != null && stopped == null && Math.abs(ms(due) - minute) <= 6 * MINUTE;
  if (due == null) {
    return (
      <span className="due far" title="No promise runs yet">
        <span className="n">–</span>
      </span>
    );
  }
  return close ? (
    <Ticking due={due} start={start} places={places} bare={bare} />
  ) : (
    <Drawn now={stopped == null ? minute : ms(stopped)} due={due} start={start} places={places} bare={bare} done={stopped != null} />
  );
}

function Ticking(props: { due: Instant; start?: Instant | null; places: readonly Place[]; bare?: boolean }) {
  return <Drawn now={useNow(1000)} {...props} />;
}

function Drawn({ now, due, start, places, bare, done }: { now: number; due: Instant; start?: Instant | null; places: readonly Place[]; bare?: boolean; done?: boolean }) {
  const rest = ms(due) - now;
  const { sign, value, unit, rest: minutes } = left(rest);
  const whole = start == null ? HOUR : Math.max(ms(due) - ms(start), MINUTE);
  const share = Math.max(0, Math.min(1, rest / whole));
  const tone = done ? "done" : dueTone(rest);
  return (
    <Tooltip
      label={
        <>
          {done ? "Stopped" : rest < 0 ? "Was due" : "Due"} {relative(due, now)}
          <br />
          <span className="q num">{inPlaces(due, places)}</span>
        </>
      }
    >
      <span className={`due ${tone}${bare ? " bare" : ""}`}>
        <span className="n">
          {sign}
          {value}
          {unit && <small>{unit}</small>}
          {minutes && ` ${minutes}`}
        </span>
        {!bare && <span className="bar">{rest >= 0 && <i style={{ width: `${(share * 100).toFixed(1)}%` }} />}</span>}
      </span>
    </Tooltip>
  );
}
