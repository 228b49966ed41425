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
}

const tickers = new Map<number, Ticker>();

function ticker(every: number): Ticker {
  let found = tickers.get(every);
  if (!found) {
    found = { value: serverNow(), listeners: new Set(), timer: undefined };
    tickers.set(every, found);
  }
  return found;
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
  return useSyncExternalStore(
    (listener) => {
      const own = ticker(every);
      if (own.listeners.size === 0) {
        own.value = serverNow();
        schedule(every, own);
      }
      own.listeners.add(listener);
      return () => {
        own.listeners.delete(listener);
        if (own.listeners.size === 0) clearTimeout(own.timer);
      };
    },
    () => {
      const own = ticker(every);
      // A ticker that rested shows the time of now, not of when it last ran.
      if (own.listeners.size === 0 && serverNow() - own.value > every) own.value = serverNow();
      return own.value;
    },
  );
}
