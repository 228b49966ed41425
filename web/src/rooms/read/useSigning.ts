import { useState } from "react";
import type { Version } from "../../api/types";
import type { DraftKeeper } from "./draft";
import { type Refusal, refusalOf, type SignKind, signReport } from "./sign";

export interface Ask {
  kind: SignKind;
  what: "prove" | "totp" | "new-images" | "images-disagree" | "identity-changed";
  overrides: { check: string; reason: string }[];
}

export interface Signing {
  busy: boolean;
  ask: Ask | null;
  start: (kind: SignKind) => Promise<void>;
  prove: (proof: { password?: string; totp?: string }) => Promise<void>;
  reason: (reason: string) => Promise<void>;
  cancel: () => void;
}

/** One signature from the press to the version: the last words go first, then the server asks for what it needs. */
export function useSigning(readId: string, keeper: DraftKeeper, onSigned: (version: Version, kind: SignKind) => void, onRefused: (refusal: Refusal) => void): Signing {
  const [busy, setBusy] = useState(false);
  const [ask, setAsk] = useState<Ask | null>(null);

  const attempt = async (kind: SignKind, overrides: Ask["overrides"], proof: { password?: string; totp?: string } = {}): Promise<Refusal | null> => {
    setBusy(true);
    try {
      await keeper.saveNow();
      if (keeper.getStatus().state === "offline") return { kind: "offline" };
      const version = await signReport(readId, { revision: keeper.getStatus().revision, content: keeper.getContent(), kind, overrides, ...proof });
      setAsk(null);
      onSigned(version, kind);
      return null;
    } catch (error) {
      return refusalOf(error);
    } finally {
      setBusy(false);
    }
  };
  /** Shows what the server asks for; returns what is a refusal. */
  const answer = (refusal: Refusal | null, kind: SignKind, overrides: Ask["overrides"]): Refusal | null => {
    if (refusal === null) return null;
    if (refusal.kind === "prove" && !refusal.wrong) {
      setAsk({ kind, what: refusal.totp ? "totp" : "prove", overrides });
      return null;
    }
    if (refusal.kind === "new-images" || refusal.kind === "images-disagree" || refusal.kind === "identity-changed") {
      setAsk({ kind, what: refusal.kind, overrides });
      return null;
    }
    return refusal;
  };
  return {
    busy,
    ask,
    start: async (kind) => {
      const refusal = answer(await attempt(kind, []), kind, []);
      if (refusal) onRefused(refusal);
    },
    prove: async (proof) => {
      if (!ask) return;
      const refusal = answer(await attempt(ask.kind, ask.overrides, proof), ask.kind, ask.overrides);
      if (!refusal) return;
      // Stays in the dialog, which says it.
      if (refusal.kind === "prove") throw new Error("That is not right. Nothing was signed.");
      setAsk(null);
      onRefused(refusal);
    },
    reason: async (reason) => {
      if (!ask) return;
      const overrides = [...ask.overrides, { check: ask.what, reason }];
      const refusal = answer(await attempt(ask.kind, overrides), ask.kind, overrides);
      if (!refusal) return;
      setAsk(null);
      onRefused(refusal);
    },
    cancel: () => setAsk(null),
  };
}
