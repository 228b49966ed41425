import { HOUR, ms } from "../../kit";
import { type BoardReader, type Hub, isOn } from "./words";

export interface Bar {
  reader: BoardReader;
  /** Epoch ms, cut to the window. */
  from: number;
  to: number;
  lane: number;
  on: boolean;
}

export interface Ribbon {
  hub: Hub;
  bars: Bar[];
  lanes: number;
}

/** Shifts that touch the window, each on the first lane that is free. */
export function ribbon(hub: Hub, from: number, to: number, now: number): Ribbon {
  const ends: number[] = [];
  const bars: Bar[] = [];
  const begin = (reader: BoardReader) => (reader.shift_starts_at ? ms(reader.shift_starts_at) : from);
  for (const reader of [...hub.readers].sort((a, b) => begin(a) - begin(b))) {
    if (!reader.shift_ends_at) continue;
    const start = Math.max(begin(reader), from);
    const end = Math.min(ms(reader.shift_ends_at), to);
    if (end <= start) continue;
    let lane = ends.findIndex((busy) => busy <= start);
    if (lane < 0) lane = ends.length;
    ends[lane] = end;
    bars.push({ reader, from: start, to: end, lane, on: isOn(reader, now) });
  }
  return { hub, bars, lanes: Math.max(1, ends.length) };
}

export type Light = "night" | "dusk" | "day";

const hourOf = new Map<string, Intl.DateTimeFormat>();

function localHour(at: number, zone: string): number {
  let format = hourOf.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", hourCycle: "h23" });
    hourOf.set(zone, format);
  }
  return Number(format.format(at));
}

/** Working light by the clock on the wall there: day from 7 to 19, dusk the hour on each side. */
export function lights(from: number, to: number, zone: string): { from: number; to: number; light: Light }[] {
  const found: { from: number; to: number; light: Light }[] = [];
  const step = HOUR / 2; // some zones stand at the half hour
  for (let at = Math.floor(from / step) * step; at < to; at += step) {
    const hour = localHour(at, zone);
    const light: Light = hour >= 7 && hour < 19 ? "day" : hour === 6 || hour === 19 ? "dusk" : "night";
    const last = found[found.length - 1];
    const end = Math.min(at + step, to);
    if (last && last.light === light) last.to = end;
    else found.push({ from: Math.max(at, from), to: end, light });
  }
  return found;
}
