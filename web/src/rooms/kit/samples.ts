/** Invented people for the models of the kit; none of them exists. */
import type { CoverageRow, Due } from "../../kit/charts";
import type { Interval } from "../../kit/IntervalBar";
import type { PatientIdentity } from "../../kit/patient";
import type { DotState } from "../../kit/bits";
import type { RowTone } from "../../kit/DataTable";
import { MINUTE } from "../../kit/time";
import type { VerdictRow } from "../../kit/VerdictMatrix";

export const NORFJORD = { zone: "Europe/Oslo", label: "Norfjord" };
export const SYDNEY = { zone: "Australia/Sydney", label: "Sydney" };

export const HAUGLAND: PatientIdentity = {
  family_name: "Haugland",
  given_name: "Ingrid Marie",
  birth_date: "1958-03-14",
  sex: "F",
  identifiers: [{ authority: "Norfjord", value: "4471-0932" }],
};

export interface Row {
  id: string;
  priority: string;
  left: number;
  promise: number;
  patient: PatientIdentity;
  exam: string;
  state: DotState;
  stateText: string;
  means: string;
  tone: RowTone;
}

const person = (family_name: string, given_name: string): PatientIdentity => ({ family_name, given_name, birth_date: null, sex: null, identifiers: [] });

export const ROWS: Row[] = [
  { id: "1", priority: "ROUTINE", left: 236, promise: 480, patient: person("Strand", "Eivind"), exam: "MR brain", state: "ready", stateText: "Ready", means: "plain", tone: undefined },
  { id: "2", priority: "URGENT", left: 95, promise: 240, patient: person("Espedal", "Ole Kristian"), exam: "CT head", state: "ready", stateText: "Ready", means: "plain", tone: undefined },
  { id: "3", priority: "STAT", left: 12.5, promise: 30, patient: person("Haugland", "Ingrid Marie"), exam: "CT head", state: "reading", stateText: "Reading", means: "chosen", tone: undefined },
  { id: "4", priority: "STAT", left: -4.5, promise: 30, patient: person("Vikar", "Sunniva"), exam: "CT abdomen", state: "draft", stateText: "Draft", means: "promise broken", tone: "broken" },
  { id: "5", priority: "TRAUMA1", left: 19, promise: 20, patient: person("Unknown", "Male 1125-A"), exam: "CT pan-scan", state: "held", stateText: "No reader", means: "needs a person", tone: "person" },
  { id: "6", priority: "ASAP", left: 48, promise: 120, patient: person("Tveit", "Arnfinn"), exam: "CT head", state: "just", stateText: "Signed", means: "done just now, 3 s", tone: "just" },
  { id: "7", priority: "ROUTINE", left: 402, promise: 720, patient: person("Tangen", "Silje"), exam: "MR pituitary", state: "arriving", stateText: "Arriving", means: "open elsewhere", tone: "away" },
];

const T0 = Date.parse("2026-11-25T01:04:11Z");
const at = (minutes: number, seconds = 0) => T0 + minutes * MINUTE + seconds * 1000;

export const INTERVALS: Interval[] = [
  { from: at(0), to: at(15, 41), label: "Order to first image", tone: "quiet" },
  { from: at(15, 41), to: at(18, 55), label: "Arriving", tone: "arriving" },
  { from: at(19, 26), to: at(37, 9), label: "Waiting for the reader", tone: "waiting" },
  { from: at(37, 9), to: at(44, 20), label: "Reading", tone: "reading" },
  { from: at(44, 20), to: at(47, 3), label: "Delivery", tone: "quiet" },
];
export const MARKS = [
  { at: at(0), label: "Order" },
  { at: at(15, 41), label: "First" },
  { at: at(19, 26), label: "Ready and assigned" },
  { at: at(37, 9), label: "Opened" },
  { at: at(41, 51), label: "Call" },
  { at: at(44, 20), label: "Signed" },
  { at: at(47, 3), label: "Seen" },
];
export const PROMISE = { start: at(18, 55), due: at(48, 55), done: at(44, 22) };

export function dues(now: number): Due[] {
  const list: [string, string, number, boolean?][] = [
    ["VIKAR", "STAT", -4.5],
    ["HAUGLAND", "STAT", 12],
    ["DELACROIX", "STROKE", 17],
    ["UNKNOWN", "TRAUMA1", 19, true],
    ["ABEBE", "STAT", 26, true],
    ["ASKELAND", "STAT", 28],
    ["WAIRIMU", "ASAP", 41],
    ["TVEIT", "ASAP", 48],
    ["OBERLIN", "ASAP", 57],
    ["FAGERLI", "PREOP", 64],
    ["ODHIAMBO", "URGENT", 72],
    ["LINDQUIST", "URGENT", 88],
    ["ESPEDAL", "URGENT", 95],
    ["PEREIRA", "ASAP", 103],
    ["SANDVIK", "URGENT", 109],
  ];
  return list.map(([label, priority, minutes, person]) => ({ id: label, label, priority, due: now + minutes * MINUTE, person }));
}

const ALL = ["engagement", "licence", "privilege", "subspecialty", "language", "place", "shift", "capacity"];
const verdicts = (no: string[], unknown: string[] = []): VerdictRow["verdicts"] =>
  Object.fromEntries(ALL.map((rule) => [rule, no.includes(rule) ? "fail" : unknown.includes(rule) ? "unknown" : "pass"]));

export const READERS: VerdictRow[] = [
  { id: "a", name: "Dr Imogen Tarrant", hub: "Sydney", verdicts: verdicts([]), why: "Assigned. The only eligible reader, 6 of 10 open", chosen: true },
  { id: "b", name: "Dr Anselm Vogt", hub: "Zurich", verdicts: verdicts(["shift"]), why: "Off shift. Comes on 06:00, after the deadline" },
  { id: "c", name: "Dr Solveig Aamodt", hub: "Sydney", verdicts: verdicts(["capacity"]), why: "Full: 10 of 10 over both groups at 02:23" },
  { id: "d", name: "Dr Wei-Lin Castellan", hub: "Boston", verdicts: verdicts(["licence"]), why: "Norway licence ended 30 Sep 2026; renewal not verified" },
  { id: "e", name: "Dr Matteo Brandis", hub: "Zurich", verdicts: verdicts(["shift"], ["subspecialty"]), why: "Subspecialty certificate awaits primary source check" },
];

export const COVERAGE: CoverageRow[] = [
  { label: "Neuro, NO", shifts: [[0, 9], [5, 17], [21, 24]] },
  { label: "MSK, NO", shifts: [[0, 9], [13, 17]], nobody: [[9, 13]] },
  { label: "Body, US", shifts: [[0, 4], [2, 10], [13, 24]] },
];

export const TURNAROUND = [2, 9, 24, 41, 52, 47, 38, 27, 19, 12, 8, 5, 3, 2, 1];
