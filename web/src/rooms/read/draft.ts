import { ApiError } from "../../api/client";
import type { DraftContent } from "../../api/types";

/**
 * Keeps what a reader types. Every change goes to this browser's storage at once and to the server half a second after the last
 * key (three seconds at most); what the server has not taken stays in the storage and is sent again. Saves go one after another,
 * each naming the revision that the one before it brought.
 */
export type SaveState = "saved" | "waiting" | "saving" | "offline" | "moved-on" | "taken" | "refused";

export interface DraftStatus {
  state: SaveState;
  /** Epoch ms of the last save that the server confirmed. */
  savedAt: number | null;
  revision: number;
  /** Why it was refused, in the server's words. */
  problem: string | null;
}

export interface Saver {
  save: (revision: number, content: DraftContent, keepalive: boolean) => Promise<{ revision: number; saved_at: string }>;
}

export interface LocalCopy {
  content: DraftContent;
  /** What the server had when this was typed. */
  base: DraftContent;
  at: number;
}

export interface CopyStore {
  read: () => LocalCopy | null;
  write: (copy: LocalCopy) => void;
  clear: () => void;
}

const QUIET_MS = 500;
const LONGEST_MS = 3000;
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000];

export function sameContent(a: DraftContent, b: DraftContent): boolean {
  const flat = (content: DraftContent) =>
    JSON.stringify([
      Object.entries(content.sections).filter(([, text]) => text !== "").sort(),
      Object.entries(content.fields).filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && value.length === 0)).sort(),
    ]);
  return flat(a) === flat(b);
}

/** What to do with a copy found in this browser when the draft is opened. */
export function settle(server: DraftContent, copy: LocalCopy | null): "none" | "use-copy" | "ask" {
  if (!copy || sameContent(copy.content, server)) return "none";
  // Nobody wrote since: the copy is simply newer.
  return sameContent(copy.base, server) ? "use-copy" : "ask";
}

export class DraftKeeper {
  private content: DraftContent;
  private base: DraftContent;
  private status: DraftStatus;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private dirtySince: number | null = null;
  private running: Promise<void> | null = null;
  private failures = 0;
  private closed = false;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly saver: Saver,
    private readonly copies: CopyStore,
    start: { revision: number; content: DraftContent; savedAt: number | null },
  ) {
    this.content = start.content;
    this.base = start.content;
    this.status = { state: "saved", savedAt: start.savedAt, revision: start.revision, problem: null };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly getStatus = (): DraftStatus => this.status;
  readonly getContent = (): DraftContent => this.content;

  private set(change: Partial<DraftStatus>): void {
    this.status = { ...this.status, ...change };
    for (const listener of this.listeners) listener();
  }

  private get stuck(): boolean {
    return this.status.state === "moved-on" || this.status.state === "taken";
  }

  readonly setSection = (id: string, text: string): void => this.edit({ ...this.content, sections: { ...this.content.sections, [id]: text } });
  readonly setField = (id: string, value: DraftContent["fields"][string]): void => this.edit({ ...this.content, fields: { ...this.content.fields, [id]: value } });

  readonly edit = (content: DraftContent): void => {
    this.content = content;
    this.copies.write({ content, base: this.base, at: Date.now() });
    if (this.stuck) return this.set({});
    this.dirtySince ??= Date.now();
    this.set({ state: this.status.state === "offline" ? "offline" : "waiting", problem: null });
    this.schedule(Math.max(0, Math.min(QUIET_MS, this.dirtySince + LONGEST_MS - Date.now())));
  };

  private schedule(after: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.saveNow(), after);
  }

  private get clean(): boolean {
    return sameContent(this.content, this.base);
  }

  /** Sends what is not yet at the server; resolves when it is there, or can't be now. */
  readonly saveNow = async (keepalive = false): Promise<void> => {
    clearTimeout(this.timer);
    if (this.running) {
      await this.running;
      if (this.clean || this.stuck || this.status.state === "offline") return;
      return this.saveNow(keepalive);
    }
    if (this.clean || this.stuck) {
      if (this.clean && !this.stuck) this.rest();
      return;
    }
    this.running = this.send(keepalive).finally(() => {
      this.running = null;
    });
    await this.running;
  };

  private rest(): void {
    this.copies.clear();
    this.dirtySince = null;
    if (this.status.state !== "saved") this.set({ state: "saved", problem: null });
  }

  private async send(keepalive: boolean): Promise<void> {
    const sent = this.content;
    if (this.status.state !== "offline") this.set({ state: "saving" });
    try {
      const answer = await this.saver.save(this.status.revision, sent, keepalive);
      this.failures = 0;
      this.base = sent;
      this.set({ revision: answer.revision, savedAt: Date.parse(answer.saved_at), state: "saved", problem: null });
      if (this.clean) this.rest();
      else {
        this.copies.write({ content: this.content, base: sent, at: Date.now() });
        this.dirtySince = Date.now();
        this.set({ state: "waiting" });
        if (!this.closed) this.schedule(QUIET_MS);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    const problem = error instanceof Error ? error.message : "The server did not take this";
    if (error instanceof ApiError && error.code === "draft-moved-on") return this.set({ state: "moved-on", problem });
    if (error instanceof ApiError && (error.code === "held-by-another" || error.code === "not-open" || error.status === 404)) return this.set({ state: "taken", problem });
    if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 401 && error.status !== 429) return this.set({ state: "refused", problem });
    this.set({ state: "offline", problem });
    const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)] ?? 15_000;
    this.failures += 1;
    if (!this.closed) this.schedule(wait);
  }

  /** The page that types into it is there (again). */
  readonly live = (): void => {
    this.closed = false;
  };

  /** The line may be back: try at once. */
  readonly retry = (): void => {
    if (this.status.state === "offline" || this.status.state === "refused") void this.saveNow();
  };

  /** Somebody else was given the read: nothing more is sent, what was typed stays in this browser. */
  readonly taken = (problem: string): void => {
    if (this.stuck) return;
    clearTimeout(this.timer);
    this.set({ state: "taken", problem });
  };

  /** A signature that keeps the read open brings a new revision. */
  readonly advance = (revision: number): void => {
    this.base = this.content;
    this.set({ revision });
    this.rest();
  };

  /** The report is signed or closed: what was kept here is at the server. */
  readonly end = (): void => {
    this.closed = true;
    clearTimeout(this.timer);
    this.copies.clear();
  };

  /** Leaving the page: the last words go out although the page does not wait for the answer. */
  readonly close = (): Promise<void> => {
    this.closed = true;
    return this.saveNow(true);
  };
}

/** Copies lie under the person and the read, so that a shared computer never hands words to another. */
export function copyStore(userId: string, readId: string): CopyStore {
  const key = `hg-draft:${userId}:${readId}`;
  return {
    read: () => {
      try {
        const found: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
        if (typeof found === "object" && found !== null && "content" in found && "base" in found) return found as LocalCopy;
      } catch {
        // Storage off or broken: what is on the page is all there is.
      }
      return null;
    },
    write: (copy) => {
      try {
        localStorage.setItem(key, JSON.stringify(copy));
      } catch {
        // Full or off: the page still holds it and goes on sending.
      }
    },
    clear: () => {
      try {
        localStorage.removeItem(key);
      } catch {
        // Nothing was kept.
      }
    },
  };
}
