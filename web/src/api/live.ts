import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";

/**
 * Live changes. One connection to /api/events a browser: the tab that holds the lock reads it and passes on what it hears over
 * a BroadcastChannel; when that tab closes, the next one takes the lock. Events carry a topic and an id, never data: queries
 * that name the topic are asked again, as this person may see them.
 */
export type Topic = "case" | "study" | "order" | "delivery" | "alarm" | "report" | "shift" | "transfer" | "question";

declare module "@tanstack/react-query" {
  interface Register {
    queryMeta: {
      /** Asked again when one of these changes. */
      topics?: readonly Topic[];
      /** Only when this id changes (or the event names none). */
      only?: string;
    };
  }
}

export type LiveState = "live" | "connecting" | "reconnecting";

interface Change {
  topic: Topic;
  id: string | null;
}

type Word = { kind: "changed"; change: Change } | { kind: "resync" } | { kind: "state"; state: LiveState; heard: number } | { kind: "hello" };

let state: LiveState = "connecting";
let heardAt = 0;
const listeners = new Set<() => void>();
let snapshot: { state: LiveState; heardAt: number } = { state, heardAt };

function setState(next: LiveState, heard: number): void {
  state = next;
  heardAt = heard;
  snapshot = { state, heardAt };
  for (const listener of listeners) listener();
}

/** For the foot of a page: live or reconnecting, and when something was last heard (epoch ms). */
export function useLive(): { state: LiveState; heardAt: number } {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => snapshot,
  );
}

function parse(data: string): Change | null {
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value === "object" && value !== null && "topic" in value && typeof value.topic === "string") {
      return { topic: value.topic as Topic, id: "id" in value && typeof value.id === "string" ? value.id : null };
    }
  } catch {
    // Not for us.
  }
  return null;
}

/** Gathers changes for a moment, so that a burst asks each query once. */
export function gatherer(client: QueryClient, wait = 120): (change: Change | "resync") => void {
  let waiting: Change[] = [];
  let all = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    const changes = waiting;
    const everything = all;
    waiting = [];
    all = false;
    timer = undefined;
    void client.invalidateQueries({
      predicate: (query) => {
        const topics = query.meta?.topics;
        if (!topics) return false;
        if (everything) return true;
        return changes.some((change) => topics.includes(change.topic) && (!query.meta?.only || !change.id || query.meta.only === change.id));
      },
    });
  };
  return (change) => {
    if (change === "resync") all = true;
    else waiting.push(change);
    timer ??= setTimeout(flush, wait);
  };
}

/** Starts once after sign-in; the returned function ends it (sign-out). */
export function startLive(client: QueryClient): () => void {
  const gather = gatherer(client);
  const channel = new BroadcastChannel("hg-live");
  const end = new AbortController();
  let leading = false;

  const hear = (word: Word) => {
    if (word.kind === "changed") {
      gather(word.change);
      setState("live", Date.now());
    } else if (word.kind === "resync") {
      gather("resync");
      setState("live", Date.now());
    } else if (word.kind === "state") setState(word.state, word.heard);
    else if (leading) channel.postMessage({ kind: "state", state, heard: heardAt } satisfies Word);
  };
  channel.onmessage = (event: MessageEvent<Word>) => hear(event.data);
  const say = (word: Word) => {
    hear(word);
    channel.postMessage(word);
  };
  channel.postMessage({ kind: "hello" } satisfies Word);

  const lead = () =>
    new Promise<void>((finish) => {
      // The lock may come after we have ended already; the abort is over then and nobody would let it go.
      if (end.signal.aborted) {
        finish();
        return;
      }
      leading = true;
      let source: EventSource | null = null;
      let retry: ReturnType<typeof setTimeout> | undefined;
      let lost = false;
      const open = () => {
        source = new EventSource("/api/events");
        source.onopen = () => {
          say({ kind: "state", state: "live", heard: Date.now() });
          // What happened while we were away is not known: ask for everything once.
          if (lost) say({ kind: "resync" });
          lost = false;
        };
        source.addEventListener("changed", (event: MessageEvent<string>) => {
          const change = parse(event.data);
          if (change) say({ kind: "changed", change });
        });
        source.addEventListener("resync", () => say({ kind: "resync" }));
        source.onerror = () => {
          lost = true;
          say({ kind: "state", state: "reconnecting", heard: heardAt });
          // The browser tries again by itself unless the server refused outright.
          if (source?.readyState === EventSource.CLOSED) {
            clearTimeout(retry);
            retry = setTimeout(open, 3000);
          }
        };
      };
      open();
      end.signal.addEventListener("abort", () => {
        clearTimeout(retry);
        source?.close();
        leading = false;
        finish();
      });
    });

  const locks: LockManager | undefined = "locks" in navigator ? navigator.locks : undefined;
  if (locks) {
    locks.request("hg-live", { signal: end.signal }, lead).catch((error: unknown) => {
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    });
  } else {
    // Without Web Locks (an insecure origin) each tab has its own connection.
    void lead();
  }

  return () => {
    end.abort();
    channel.close();
    setState("connecting", 0);
  };
}
