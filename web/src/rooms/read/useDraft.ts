import { useEffect, useState, useSyncExternalStore } from "react";
import { api, url } from "../../api/client";
import type { DraftContent, Workspace } from "../../api/types";
import { copyStore, DraftKeeper, type DraftStatus, type LocalCopy, settle } from "./draft";

export interface OpenDraft {
  keeper: DraftKeeper;
  content: DraftContent;
  status: DraftStatus;
  /** A copy in this browser that the server never got, and that differs from what somebody saved since. */
  found: LocalCopy | null;
  useFound: () => void;
  dropFound: () => void;
}

interface Start {
  keeper: DraftKeeper;
  found: LocalCopy | null;
  restore: DraftContent | null;
}

/** The draft of an open read, kept and saved while the page lives. */
export function useDraft(readId: string, userId: string, draft: Workspace["draft"]): OpenDraft {
  const [start] = useState((): Start => {
    const copies = copyStore(userId, readId);
    const copy = copies.read();
    const fate = settle(draft.content, copy);
    const keeper = new DraftKeeper(
      { save: (revision, content, keepalive) => api.put<{ revision: number; saved_at: string }>(url`/api/reads/${readId}/draft`, { revision, content }, { keepalive }) },
      copies,
      { revision: draft.revision, content: draft.content, savedAt: draft.saved_at ? Date.parse(draft.saved_at) : null },
    );
    return { keeper, found: fate === "ask" ? copy : null, restore: fate === "use-copy" && copy ? copy.content : null };
  });
  const { keeper } = start;
  const [found, setFound] = useState(start.found);
  const status = useSyncExternalStore(keeper.subscribe, keeper.getStatus);
  const content = useSyncExternalStore(keeper.subscribe, keeper.getContent);
  useEffect(() => {
    if (start.restore) keeper.edit(start.restore);
  }, [keeper, start.restore]);
  useEffect(() => {
    const leaving = () => void keeper.saveNow(true);
    const hidden = () => {
      if (document.visibilityState === "hidden") leaving();
    };
    window.addEventListener("online", keeper.retry);
    window.addEventListener("pagehide", leaving);
    document.addEventListener("visibilitychange", hidden);
    return () => {
      window.removeEventListener("online", keeper.retry);
      window.removeEventListener("pagehide", leaving);
      document.removeEventListener("visibilitychange", hidden);
    };
  }, [keeper]);
  return {
    keeper,
    content,
    status,
    found,
    useFound: () => {
      if (found) keeper.edit(found.content);
      setFound(null);
    },
    dropFound: () => setFound(null),
  };
}
