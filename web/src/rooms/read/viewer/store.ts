import { useSyncExternalStore } from "react";
import { type FromViewer, type OpenStudy, post, received, type ToViewer, type ViewerMeasurement, type ViewerPreset, type ViewerSeries } from "../../../../viewer/protocol";

/**
 * The one living viewer of this window. Its iframe is made once and stays while its person is signed in: hidden beside the list,
 * moved over the place that the reading page keeps for it, and given the next study by a message instead of a reload.
 */
export interface ViewerState {
  /** The iframe is wanted. */
  started: boolean;
  /** Raised to load the iframe anew. */
  generation: number;
  ready: boolean;
  opened: OpenStudy | null;
  firstImage: boolean;
  series: ViewerSeries[];
  /** Studies in the viewports; null until the viewer tells after a change. */
  shown: string[] | null;
  shownSeries: string[];
  active: string | null;
  presets: ViewerPreset[];
  measurements: ViewerMeasurement[];
  tool: string;
  linked: boolean;
  error: { what: "study-not-found" | "server" | "decode" | "webgl" | "no-start" | "no-image"; text: string } | null;
}

const NO_START_MS = 25_000;
const NO_IMAGE_MS = 20_000;
const FRESH: Omit<ViewerState, "started" | "generation" | "opened"> = { ready: false, firstImage: false, series: [], shown: null, shownSeries: [], active: null, presets: [], measurements: [], tool: "WindowLevel", linked: true, error: null };

let state: ViewerState = { started: false, generation: 0, opened: null, ...FRESH };
let frame: HTMLIFrameElement | null = null;
let slot: HTMLElement | null = null;
let starting: ReturnType<typeof setTimeout> | undefined;
let imaging: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();
const slotListeners = new Set<() => void>();

function set(change: Partial<ViewerState>): void {
  state = { ...state, ...change };
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useViewer(): ViewerState {
  return useSyncExternalStore(subscribe, () => state);
}

export function send(message: ToViewer): void {
  const target = frame?.contentWindow;
  if (target && state.ready) post(target, message);
}

/** Loads the viewer's programs before a case is opened. */
export function startViewer(): void {
  if (state.started) return;
  set({ started: true });
  watchStart();
}

function watchStart(): void {
  clearTimeout(starting);
  starting = setTimeout(() => {
    if (!state.ready) set({ error: { what: "no-start", text: "The viewer has not started for 25 seconds." } });
  }, NO_START_MS);
}

/** A new iframe: after a failure, or when its person leaves. */
export function reloadViewer(): void {
  clearTimeout(imaging);
  set({ ...FRESH, generation: state.generation + 1 });
  watchStart();
}

export function stopViewer(): void {
  clearTimeout(starting);
  clearTimeout(imaging);
  frame = null;
  set({ ...FRESH, started: false, opened: null, generation: state.generation + 1 });
}

const sameStudy = (a: OpenStudy | null, b: OpenStudy) => a !== null && a.slug === b.slug && a.studies.join() === b.studies.join() && a.priors.join() === b.priors.join();

/** Shows these studies; nothing happens while exactly they are shown, unless `again`. */
export function openStudy(study: OpenStudy, again = false): void {
  startViewer();
  if (!again && sameStudy(state.opened, study) && state.error === null) return;
  set({ opened: study, firstImage: false, series: [], shown: null, shownSeries: [], active: null, presets: [], measurements: [], linked: true, error: state.error?.what === "webgl" ? state.error : null });
  if (state.ready) tell();
}

function tell(): void {
  if (!state.opened) return;
  send({ kind: "open", ...state.opened });
  clearTimeout(imaging);
  imaging = setTimeout(() => {
    if (!state.firstImage && state.error === null) set({ error: { what: "no-image", text: "No image has come from the archive for 20 seconds." } });
  }, NO_IMAGE_MS);
}

export function setLinked(on: boolean): void {
  set({ linked: on });
  send({ kind: "link", on });
}

export function dismissError(): void {
  set({ error: null });
}

function hear(message: FromViewer): void {
  switch (message.kind) {
    case "ready":
      clearTimeout(starting);
      set({ ready: true, error: message.webgl ? (state.error?.what === "no-start" ? null : state.error) : { what: "webgl", text: "This browser can't draw images (WebGL is missing or off)." } });
      send({ kind: "theme", theme: document.documentElement.dataset.theme === "light" ? "light" : "dark" });
      return tell();
    case "series":
      return set({ series: message.series });
    case "shown":
      return set({ shown: message.studies, shownSeries: message.series, active: message.active, presets: message.presets });
    case "first-image":
      clearTimeout(imaging);
      return set({ firstImage: true, error: state.error?.what === "no-image" ? null : state.error });
    case "measurements":
      return set({ measurements: message.measurements });
    case "tool":
      return set({ tool: message.name });
    case "key":
      // As if typed here: the page's own registry decides, and knows no text field in the viewer.
      document.body.dispatchEvent(new KeyboardEvent("keydown", { ...message.key, bubbles: true, cancelable: true }));
      return;
    case "activity":
      // Menus of the page close when the viewer is touched.
      document.body.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
      document.body.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
      return;
    case "error":
      return set({ error: { what: message.what, text: message.text } });
  }
}

if (typeof window !== "undefined") {
  window.addEventListener("message", (event: MessageEvent<unknown>) => {
    const message = received<FromViewer>(event, frame?.contentWindow ?? null);
    if (message) hear(message);
  });
}

export function setFrame(element: HTMLIFrameElement | null): void {
  frame = element;
}

export function focusViewer(): void {
  frame?.focus();
  send({ kind: "focus" });
}

export function viewerHasFocus(): boolean {
  return frame !== null && document.activeElement === frame;
}

/** The place on the page that the viewer covers; null hides it. */
export function setSlot(element: HTMLElement | null): void {
  slot = element;
  for (const listener of slotListeners) listener();
}

export function getSlot(): HTMLElement | null {
  return slot;
}

export function onSlot(listener: () => void): () => void {
  slotListeners.add(listener);
  return () => slotListeners.delete(listener);
}
