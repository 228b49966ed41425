import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../api/client";
import type { DraftContent } from "../../api/types";
import { type CopyStore, DraftKeeper, type LocalCopy, type Saver, settle } from "./draft";

const content = (findings: string): DraftContent => ({ sections: { findings }, fields: {} });

/** A server that takes one draft, as ours does: the wrong revision is refused. */
function cast(options: { line?: boolean } = {}) {
  const server = { revision: 3, content: content(""), line: options.line ?? true, saves: 0 };
  const saver: Saver = {
    save: (revision, sent) => {
      server.saves += 1;
      if (!server.line) return Promise.reject(new ApiError("No connection", undefined, 0, "about:blank", "offline"));
      if (revision !== server.revision) return Promise.reject(new ApiError("Moved on", undefined, 409, "about:blank", "draft-moved-on"));
      server.revision += 1;
      server.content = sent;
      return Promise.resolve({ revision: server.revision, saved_at: new Date().toISOString() });
    },
  };
  let copy: LocalCopy | null = null;
  const copies: CopyStore = { read: () => copy, write: (next) => void (copy = next), clear: () => void (copy = null) };
  const keeper = new DraftKeeper(saver, copies, { revision: 3, content: content(""), savedAt: null });
  return { server, keeper, copy: () => copy, copies, saver };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a draft", () => {
  it("is kept in the browser at once and saved half a second after the last key", async () => {
    const { server, keeper, copy } = cast();
    keeper.setSection("findings", "Ac");
    keeper.setSection("findings", "Acute");
    expect(copy()?.content.sections.findings).toBe("Acute");
    await vi.advanceTimersByTimeAsync(499);
    expect(server.saves).toBe(0);
    await vi.advanceTimersByTimeAsync(2);
    expect(server.content.sections.findings).toBe("Acute");
    expect(server.saves).toBe(1);
    expect(copy()).toBeNull();
    expect(keeper.getStatus()).toMatchObject({ state: "saved", revision: 4 });
  });

  it("is saved within three seconds while somebody types on", async () => {
    const { server, keeper } = cast();
    for (let key = 0; key < 20; key++) {
      keeper.setSection("findings", "a".repeat(key + 1));
      await vi.advanceTimersByTimeAsync(200);
    }
    expect(server.saves).toBeGreaterThan(0);
  });

  it("loses no word when the line is lost, and sends it when it is back", async () => {
    const { server, keeper, copy } = cast({ line: false });
    keeper.setSection("findings", "Subdural");
    await vi.advanceTimersByTimeAsync(600);
    expect(keeper.getStatus().state).toBe("offline");
    keeper.setSection("findings", "Subdural, left");
    expect(copy()?.content.sections.findings).toBe("Subdural, left");
    server.line = true;
    await vi.advanceTimersByTimeAsync(16_000);
    expect(server.content.sections.findings).toBe("Subdural, left");
    expect(copy()).toBeNull();
    expect(keeper.getStatus().state).toBe("saved");
  });

  it("sends what was typed during a save afterwards, with the new revision", async () => {
    const { server, keeper } = cast();
    keeper.setSection("findings", "one");
    const saving = keeper.saveNow();
    keeper.setSection("findings", "one two");
    await saving;
    await vi.advanceTimersByTimeAsync(600);
    expect(server.content.sections.findings).toBe("one two");
    expect(server.revision).toBe(5);
  });

  it("keeps its words when another window has moved the draft on", async () => {
    const { server, keeper, copy } = cast();
    server.revision = 9;
    keeper.setSection("findings", "mine");
    await vi.advanceTimersByTimeAsync(600);
    expect(keeper.getStatus().state).toBe("moved-on");
    keeper.setSection("findings", "mine too");
    await vi.advanceTimersByTimeAsync(5000);
    expect(server.saves).toBe(1);
    expect(copy()?.content.sections.findings).toBe("mine too");
  });
});

describe("a copy found in the browser", () => {
  it("is used when nobody wrote since, asked about when somebody did, and else forgotten", () => {
    const copy = { content: content("typed offline"), base: content("before"), at: 0 };
    expect(settle(content("before"), copy)).toBe("use-copy");
    expect(settle(content("other"), copy)).toBe("ask");
    expect(settle(content("typed offline"), copy)).toBe("none");
    expect(settle(content("before"), null)).toBe("none");
  });
});
