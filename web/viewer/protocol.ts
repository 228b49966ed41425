/** What the page that holds the report and the viewer in its iframe say to each other, by postMessage within one origin. */

export const CHANNEL = "heliograph-viewer";

/** A series as the viewer shows it; several display sets of one series are counted as one. */
export interface ViewerSeries {
  uid: string;
  studyUid: string;
  number: number | null;
  description: string;
  modality: string;
  /** Images that can be scrolled through. */
  slices: number;
  /** Indexes of images that were shown, counted. */
  seen: number;
  prior: boolean;
}

export interface ViewerMeasurement {
  uid: string;
  /** "9.2 mm", "312 mm², mean 41 HU" */
  text: string;
  /** What the tool is: "Length". */
  tool: string;
  label: string;
  seriesUid: string;
  slice: number | null;
}

export interface ViewerPreset {
  name: string;
  width: number;
  level: number;
}

export type ViewerLayout = "one" | "two" | "four" | "mpr";

/** The part of a KeyboardEvent that a key's meaning needs. */
export interface ForwardedKey {
  key: string;
  code: string;
  ctrlKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  metaKey: boolean;
}

export interface OpenStudy {
  /** The organisation whose DICOMweb root holds the studies. */
  slug: string;
  studies: string[];
  priors: string[];
  examClass: string | null;
}

export type ToViewer =
  | ({ kind: "open" } & OpenStudy)
  | { kind: "close" }
  | { kind: "series"; uid: string }
  | { kind: "step-series"; by: 1 | -1 }
  | { kind: "measurement"; uid: string }
  | { kind: "preset"; width: number; level: number }
  | { kind: "tool"; name: string }
  | { kind: "command"; name: string }
  | { kind: "layout"; layout: ViewerLayout }
  | { kind: "link"; on: boolean }
  | { kind: "theme"; theme: "dark" | "light" }
  | { kind: "focus" };

export type FromViewer =
  | { kind: "ready"; webgl: boolean }
  | { kind: "series"; series: ViewerSeries[] }
  | { kind: "shown"; studies: string[]; active: string | null; series: string[]; presets: ViewerPreset[] }
  | { kind: "first-image"; studyUid: string }
  | { kind: "measurements"; measurements: ViewerMeasurement[] }
  | { kind: "tool"; name: string }
  | { kind: "key"; key: ForwardedKey }
  | { kind: "activity" }
  | { kind: "error"; what: "study-not-found" | "server" | "decode" | "webgl"; text: string };

export interface Envelope<T> {
  channel: typeof CHANNEL;
  message: T;
}

/** The message inside an event of this window's own origin and of exactly that other window; null for anything else. */
export function received<T>(event: MessageEvent<unknown>, from: MessageEventSource | null): T | null {
  if (event.origin !== window.location.origin || event.source === null || event.source !== from) return null;
  const data = event.data;
  if (typeof data !== "object" || data === null || !("channel" in data) || data.channel !== CHANNEL || !("message" in data)) return null;
  return data.message as T;
}

export function post<T>(to: Window, message: T): void {
  to.postMessage({ channel: CHANNEL, message } satisfies Envelope<T>, window.location.origin);
}
