import type { ForwardedKey } from "./protocol";

/** Tools on single letters while the viewer has the focus; the page's own keys are passed on to it. */
export const TOOL_KEYS: Readonly<Record<string, string>> = { w: "WindowLevel", z: "Zoom", p: "Pan", s: "StackScroll", l: "Length", a: "Angle", e: "EllipticalROI", h: "ArrowAnnotate" };
export const COMMAND_KEYS: Readonly<Record<string, string>> = { r: "resetViewport", i: "invertViewport", c: "toggleCine", Delete: "removeSelected" };

const SEQUENCE_MS = 1200;

export type KeyFate = { kind: "tool"; name: string } | { kind: "command"; name: string } | { kind: "preset"; index: number } | { kind: "scroll"; by: number } | { kind: "forward" } | { kind: "leave" };

/** Decides what one key is for. A key after a forwarded "g" belongs to the page's sequence ("g l"). */
export function keyReader(now: () => number = Date.now): (key: ForwardedKey, typing: boolean) => KeyFate {
  let sequenceUntil = 0;
  return (key, typing) => {
    if (["Shift", "Control", "Alt", "Meta"].includes(key.key)) return { kind: "leave" };
    const modified = key.ctrlKey || key.altKey || key.metaKey;
    if (typing) return modified && key.key === "Enter" ? { kind: "forward" } : { kind: "leave" };
    if (modified || key.shiftKey) return { kind: "forward" };
    const inSequence = now() < sequenceUntil;
    sequenceUntil = 0;
    if (inSequence) return { kind: "forward" };
    if (key.key === "g") {
      sequenceUntil = now() + SEQUENCE_MS;
      return { kind: "forward" };
    }
    const tool = TOOL_KEYS[key.key];
    if (tool) return { kind: "tool", name: tool };
    const command = COMMAND_KEYS[key.key];
    if (command) return { kind: "command", name: command };
    if (/^[1-4]$/.test(key.key)) return { kind: "preset", index: Number(key.key) - 1 };
    if (key.key === "ArrowDown" || key.key === "PageDown") return { kind: "scroll", by: key.key === "PageDown" ? 10 : 1 };
    if (key.key === "ArrowUp" || key.key === "PageUp") return { kind: "scroll", by: key.key === "PageUp" ? -10 : -1 };
    return { kind: "forward" };
  };
}
