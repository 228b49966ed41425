import { useEffect, useId } from "react";

/**
 * One registry of keys for the page. A room or component brings its actions with `useKeys`; of two actions on one key the
 * one mounted last wins. Single letters never fire in a text field. People may change any key; the map is kept in this browser.
 *
 * A key is written "j", "Enter", "Shift+Enter", "Ctrl+Enter", "F8", "?", or as a sequence "g l".
 */
export interface KeyAction {
  /** Stable name, also the key of the user's own map: "list.next". */
  id: string;
  keys: string[];
  label: string;
  run: (event: KeyboardEvent) => void;
  /** The action is passed over (and the key goes on) while this is false. */
  when?: () => boolean;
  /** Fires in text fields as well; only for keys with Ctrl, Alt or a function key. */
  inFields?: boolean;
}

export interface ListedKeys {
  scope: string;
  actions: { id: string; keys: string[]; label: string; changed: boolean }[];
}

export const EVERYWHERE = "Everywhere";
const STORE = "hg-keys";
const SEQUENCE_MS = 1200;

interface Scope {
  name: string;
  actions: KeyAction[];
}

const scopes = new Map<string, Scope>();
let own: Record<string, string[]> = readOwn();
let pending: { prefix: string; until: number } | null = null;

function readOwn(): Record<string, string[]> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORE) ?? "{}");
    if (typeof stored !== "object" || stored === null) return {};
    const valid = Object.entries(stored).filter(
      (entry): entry is [string, string[]] => Array.isArray(entry[1]) && entry[1].every((key) => typeof key === "string"),
    );
    return Object.fromEntries(valid);
  } catch {
    return {}; // Storage off or broken: the keys as we ship them.
  }
}

/** Last mounted first; what works everywhere comes last, wherever it was mounted: a room may take its key. */
function ordered(): Scope[] {
  const all = [...scopes.values()].reverse();
  return [...all.filter((scope) => scope.name !== EVERYWHERE), ...all.filter((scope) => scope.name === EVERYWHERE)];
}

export function keysFor(id: string, shipped: string[]): string[] {
  return own[id] ?? shipped;
}

/** Sets the user's own keys for an action; null goes back to ours. */
export function changeKeys(id: string, keys: string[] | null): void {
  const rest = Object.fromEntries(Object.entries(own).filter(([name]) => name !== id));
  own = keys ? { ...rest, [id]: keys } : rest;
  try {
    localStorage.setItem(STORE, JSON.stringify(own));
  } catch {
    // Kept for this page only.
  }
}

/** All registered keys by scope, those of the room before those of everywhere. */
export function listKeys(): ListedKeys[] {
  const byName = new Map<string, ListedKeys>();
  for (const scope of ordered()) {
    const listed = byName.get(scope.name) ?? { scope: scope.name, actions: [] };
    for (const action of scope.actions) {
      if (listed.actions.some((known) => known.id === action.id)) continue;
      listed.actions.push({ id: action.id, keys: keysFor(action.id, action.keys), label: action.label, changed: action.id in own });
    }
    byName.set(scope.name, listed);
  }
  return [...byName.values()].filter((scope) => scope.actions.length > 0);
}

/** "Ctrl+Shift+Enter" as the event says it; Shift is left out where the character already tells ("?"). */
export function keyOf(event: KeyboardEvent): string {
  let key = event.key === " " ? "Space" : event.key;
  const printable = key.length === 1;
  if (printable) key = key.toLowerCase();
  const letter = printable && /\p{L}/u.test(key);
  return [
    event.ctrlKey || event.metaKey ? "Ctrl" : "",
    event.altKey ? "Alt" : "",
    event.shiftKey && (!printable || letter) ? "Shift" : "",
    key,
  ]
    .filter(Boolean)
    .join("+");
}

function canonical(key: string): string {
  return key
    .split(" ")
    .map((step) => {
      const names = step === "+" ? ["+"] : step.split("+");
      const last = names[names.length - 1] ?? "";
      const main = last.length === 1 ? last.toLowerCase() : last;
      return [...["Ctrl", "Alt", "Shift"].filter((mod) => names.slice(0, -1).includes(mod)), main].join("+");
    })
    .join(" ");
}

export function inTextField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest("[contenteditable=''],[contenteditable='true']")) return true;
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button", "submit", "reset", "range", "color", "file"].includes(target.type);
  return target.closest("[role='textbox'],[role='combobox']") !== null;
}

/** Enter and Space belong to the button or link that has the focus. */
function pressesControl(event: KeyboardEvent, key: string): boolean {
  if (key !== "Enter" && key !== "Space") return false;
  const target = event.target;
  return target instanceof HTMLElement && target.closest("button,a[href],summary,[role='button'],[role='menuitem'],[role='tab'],[role='option'],input") !== null;
}

function isDialogOpen(): boolean {
  return document.querySelector("[role='dialog'][aria-modal='true']") !== null;
}

/** The last press that came while a dialog was open: it is the dialog's, which may be closed by it before the page's keys are asked. */
let dialogs: KeyboardEvent | null = null;

export function handleKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
  const typing = inTextField(event.target);
  const step = keyOf(event);
  if (pressesControl(event, step)) return;
  const dialog = dialogs === event || isDialogOpen();
  const sequence = pending && pending.until > Date.now() ? `${pending.prefix} ${step}` : null;
  pending = null;

  const all = ordered().flatMap((scope) => scope.actions);
  for (const wanted of sequence ? [sequence, step] : [step]) {
    for (const action of all) {
      if (!keysFor(action.id, action.keys).some((key) => canonical(key) === wanted)) continue;
      if (typing && !action.inFields) continue;
      if (dialog && !action.id.startsWith("dialog.")) continue;
      if (action.when && !action.when()) continue;
      event.preventDefault();
      action.run(event);
      return;
    }
  }
  if (typing || dialog) return;
  const opens = all.some((action) => keysFor(action.id, action.keys).some((key) => canonical(key).startsWith(`${step} `)));
  if (opens) pending = { prefix: step, until: Date.now() + SEQUENCE_MS };
}

/** Ctrl+Enter saves and signs wherever the focus is: a list of choices would take it as Enter, and only open. */
function handleFirst(event: KeyboardEvent): void {
  dialogs = isDialogOpen() ? event : null;
  if (!["Ctrl+Enter", "Ctrl+Shift+Enter"].includes(keyOf(event)) || event.defaultPrevented) return;
  handleKey(event);
  // The action may have prevented it meanwhile.
  if ((event as Event).defaultPrevented) event.stopPropagation();
}

let listening = false;

/** Registers actions while the component lives. `scope` is the heading under `?`: "List", "Reading", "Everywhere". */
export function useKeys(scope: string, actions: KeyAction[]): void {
  const token = useId();
  useEffect(() => {
    // Renewed after every render: the place in the order stays, the closures are fresh.
    scopes.set(token, { name: scope, actions });
    if (!listening) {
      listening = true;
      window.addEventListener("keydown", handleFirst, true);
      window.addEventListener("keydown", handleKey);
    }
  });
  useEffect(() => () => void scopes.delete(token), [token]);
}

/** For keycaps: "Ctrl+Enter" is ["Ctrl", "↵"], "Enter" alone its name, "g l" is ["G", "L"]. */
export function keycaps(key: string): string[] {
  return key.split(" ").flatMap((step) => (step === "+" ? ["+"] : step.split("+"))).map((name, _, all) => {
    if (name === "Enter") return all.length > 1 ? "↵" : "Enter";
    if (name === "Escape") return "Esc";
    if (name === "ArrowUp") return "↑";
    if (name === "ArrowDown") return "↓";
    return name.length === 1 ? name.toUpperCase() : name;
  });
}
