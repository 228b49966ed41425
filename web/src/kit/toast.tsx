import { useEffect, useState, useSyncExternalStore } from "react";
import { Button, IconButton } from "./Button";
import { Icon } from "./Icon";
import { useKeys } from "./keys";

/** What was just done, for ten seconds, with the way back where there is one. */
export interface Toast {
  text: string;
  undo?: () => unknown;
  tone?: "plain" | "done" | "warn";
}

interface Shown extends Toast {
  id: number;
}

const UNDO_MS = 10_000;
let shown: Shown[] = [];
let count = 0;
const listeners = new Set<() => void>();

function change(next: Shown[]): void {
  shown = next;
  for (const listener of listeners) listener();
}

/** Shows a message; never for patient identity that the page itself doesn't show. */
export function toast(message: Toast): () => void {
  const id = ++count;
  // The same words again are one message, told anew.
  change([...shown.filter((one) => one.undo || one.text !== message.text).slice(-3), { ...message, id }]);
  return () => dismiss(id);
}

function dismiss(id: number): void {
  change(shown.filter((one) => one.id !== id));
}

function undo(one: Shown): void {
  dismiss(one.id);
  Promise.resolve(one.undo?.()).catch((error: unknown) => {
    toast({ tone: "warn", text: error instanceof Error ? `Not undone: ${error.message}` : "This could not be undone" });
  });
}

function useToasts(): Shown[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => shown,
  );
}

/** Stands once in the app. */
export function Toasts() {
  const all = useToasts();
  useKeys("Everywhere", [
    {
      id: "app.undo",
      keys: ["z"],
      label: "Undo what was just done",
      when: () => shown.some((one) => one.undo),
      run: () => {
        const last = shown.findLast((one) => one.undo);
        if (last) undo(last);
      },
    },
  ]);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {all.map((one) => (
        <ToastCard key={one.id} toast={one} onClose={() => dismiss(one.id)} onUndo={() => undo(one)} />
      ))}
    </div>
  );
}

export function ToastCard({ toast: one, onClose, onUndo, still }: { toast: Toast; onClose: () => void; onUndo?: () => void; still?: boolean }) {
  const [paused, setPaused] = useState(false);
  return (
    <div
      className="toast"
      data-paused={paused || undefined}
      onPointerEnter={() => setPaused(true)}
      onPointerLeave={() => setPaused(false)}
      onFocus={() => setPaused(true)}
      onBlur={() => setPaused(false)}
    >
      {one.tone === "done" && (
        <span className="green">
          <Icon name="check" />
        </span>
      )}
      {one.tone === "warn" && (
        <span className="amber">
          <Icon name="warn" />
        </span>
      )}
      <span>{one.text}</span>
      <span className="grow" />
      {one.undo && (
        <Button size="sm" keyHint="z" onClick={onUndo}>
          Undo
        </Button>
      )}
      <IconButton label="Close" icon="cross" size="sm" onClick={onClose} />
      {!still && <Countdown paused={paused} bar={one.undo !== undefined} onEnd={onClose} />}
    </div>
  );
}

/** Runs down in ten seconds; stands still under the pointer or the focus. */
function Countdown({ paused, bar, onEnd }: { paused: boolean; bar: boolean; onEnd: () => void }) {
  const [rest, setRest] = useState(UNDO_MS);
  useEffect(() => {
    if (paused) return;
    const timer = setInterval(() => setRest((before) => before - 100), 100);
    return () => clearInterval(timer);
  }, [paused]);
  const over = rest <= 0;
  useEffect(() => {
    if (over) onEnd();
  }, [over, onEnd]);
  return bar ? <span className="left" style={{ width: `${Math.max(0, (rest / UNDO_MS) * 100)}%` }} /> : null;
}
