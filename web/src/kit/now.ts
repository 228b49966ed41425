import { useSyncExternalStore } from "react";
import { MINUTE } from "./time";

/**
 * The server's time. A reading room's computer may be minutes off, and a countdown must not be: each answer's Date header
 * tells how far. Below three seconds the header's own coarseness speaks, and nothing is corrected.
 */
let skew = 0;

export function learnServerTime(dateHeader: string | null): void {
  const server = dateHeader ? Date.parse(dateHeader) : Number.NaN;
  if (Number.isNaN(server)) return;
  const difference = server + 500 - Date.now();
  skew = Math.abs(difference) < 3000 ? 0 : difference;
}

export function serverNow(): number {
  return Date.now() + skew;
}

interface Ticker {
  value: number;
  listeners: Set<() => void>;
  timer: ReturnType<typeof setTimeout> | undefined;
  // One pair of functions for each interval: React subscribes anew whenever they change.
  subscribe: (listener: () => void) => () => void;
  read: () => number;
}

const tickers = new Map<number, Ticker>();

function ticker(every: number): Ticker {
  const known = tickers.get(every);
  if (known) return known;
  const own: Ticker = {
    value: serverNow(),
    listeners: new Set(),
    timer: undefined,
    subscribe: (listener) => {
      if (own.listeners.size === 0) schedule(every, own);
      own.listeners.add(listener);
      return () => {
        own.listeners.delete(listener);
        if (own.listeners.size === 0) clearTimeout(own.timer);
      };
    },
    read: () => {
      // A ticker that rested shows the time of now, not of when it last ran.
      if (own.listeners.size === 0 && Math.abs(serverNow() - own.value) >= every) own.value = serverNow();
      return own.value;
    },
  };
  tickers.set(every, own);
  return own;
}

function schedule(every: number, own: Ticker): void {
  // On the tick of the server's clock, so that all countdowns and clocks change together.
  own.timer = setTimeout(
    () => {
      own.value = serverNow();
      for (const listener of own.listeners) listener();
      schedule(every, own);
    },
    every - (serverNow() % every),
  );
}

/** The server's time, renewed every `every` milliseconds by one timer for the whole page. */
export function useNow(every: number = MINUTE): number {
  const own = ticker(every);
  return useSyncExternalStore(own.subscribe, own.read);
}
