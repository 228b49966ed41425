/** How images hang: one protocol for each kind of exam, with and without a prior. Named in the viewer's address as `hangingprotocolId`. */

interface Rule {
  weight?: number;
  attribute: string;
  from?: string;
  required?: boolean;
  constraint: Record<string, unknown>;
}

interface Kind {
  id: string;
  name: string;
  /** Exam classes by prefix, the longest wins. */
  classes: string[];
  /** Series that go first, by words in their description. */
  first: readonly { words: string; weight: number }[];
  voi?: { windowWidth: number; windowCenter: number };
  /** Places for current series when there is no prior. */
  places: 1 | 2 | 4;
}

const THIN_LAST = [
  { words: "scout", weight: -40 },
  { words: "locali", weight: -40 },
  { words: "topogram", weight: -40 },
  { words: "dose", weight: -40 },
];

const KINDS: readonly Kind[] = [
  { id: "ct-head", name: "CT head", classes: ["ct_head", "ct_brain"], first: [{ words: "brain", weight: 10 }, { words: "5 mm", weight: 5 }, ...THIN_LAST], voi: { windowWidth: 80, windowCenter: 40 }, places: 1 },
  { id: "ct", name: "CT", classes: ["ct", "cta"], first: [{ words: "axial", weight: 6 }, ...THIN_LAST], places: 1 },
  { id: "mr", name: "MR", classes: ["mr", "mra"], first: [{ words: "flair", weight: 8 }, { words: "dwi", weight: 7 }, { words: "t2", weight: 5 }, { words: "t1", weight: 4 }, ...THIN_LAST], places: 4 },
  { id: "mg", name: "Mammography", classes: ["mg"], first: [], places: 4 },
  { id: "plain", name: "Images", classes: [""], first: [], places: 1 },
];

export function kindFor(examClass: string | null): Kind {
  const wanted = (examClass ?? "").toLowerCase().replaceAll("-", "_");
  const fitting = KINDS.flatMap((kind) => kind.classes.filter((prefix) => wanted.startsWith(prefix)).map((prefix) => ({ kind, length: prefix.length })));
  return fitting.reduce((best, next) => (next.length > best.length ? next : best)).kind;
}

/** The protocol's id for an exam, as it goes into the address. */
export function protocolFor(examClass: string | null, withPrior: boolean): string {
  return `hg-${kindFor(examClass).id}${withPrior ? "-prior" : ""}`;
}

function selector(kind: Kind, study: 0 | 1): Record<string, unknown> {
  const rules: Rule[] = [
    { attribute: "numImageFrames", required: true, constraint: { greaterThan: { value: 0 } } },
    ...kind.first.map((one) => ({ weight: one.weight, attribute: "SeriesDescription", constraint: { containsI: one.words } })),
  ];
  return {
    // The studies stand in the order of the address: this exam's first, then its priors.
    studyMatchingRules: [{ attribute: "studyInstanceUIDsIndex", from: "options", required: true, constraint: { equals: { value: study } } }],
    seriesMatchingRules: rules,
  };
}

function viewport(kind: Kind, which: "current" | "prior", index: number): Record<string, unknown> {
  return {
    viewportOptions: {
      toolGroupId: "default",
      viewportType: "stack",
      allowUnmatchedView: true,
      initialImageOptions: { preset: "middle" },
      syncGroups: [{ type: "imageSlice", id: `hg-slices-${index}`, source: true, target: true }],
    },
    displaySets: [{ id: which, matchedDisplaySetsIndex: index, options: kind.voi ? { voi: kind.voi } : {} }],
  };
}

type Place = readonly ["current" | "prior", number];

function stage(kind: Kind, name: string, rows: number, columns: number, places: readonly Place[]): Record<string, unknown> {
  return {
    name,
    stageActivation: { enabled: { minViewportsMatched: places.length } },
    viewportStructure: { layoutType: "grid", properties: { rows, columns } },
    viewports: places.map(([which, index]) => viewport(kind, which, index)),
  };
}

function protocol(kind: Kind, withPrior: boolean): Record<string, unknown> {
  const one = stage(kind, "One", 1, 1, [["current", 0]]);
  const two = stage(kind, "Two", 1, 2, [["current", 0], ["current", 1]]);
  const four = stage(kind, "Four", 2, 2, [["current", 0], ["current", 1], ["current", 2], ["current", 3]]);
  const beside = stage(kind, "With prior", 1, 2, [["current", 0], ["prior", 0]]);
  const twice = stage(kind, "Two with prior", 2, 2, [["current", 0], ["prior", 0], ["current", 1], ["prior", 1]]);
  const stages = withPrior ? [...(kind.places > 1 ? [twice] : []), beside, one] : [...(kind.places > 2 ? [four] : []), ...(kind.places > 1 ? [two] : []), one];
  return {
    id: `hg-${kind.id}${withPrior ? "-prior" : ""}`,
    name: `${kind.name}${withPrior ? " with prior" : ""}`,
    numberOfPriorsReferenced: withPrior ? 1 : 0,
    // Never chosen by itself: the page names it.
    protocolMatchingRules: [],
    toolGroupIds: ["default"],
    displaySetSelectors: { current: selector(kind, 0), ...(withPrior ? { prior: selector(kind, 1) } : {}) },
    defaultViewport: {
      viewportOptions: { viewportType: "stack", toolGroupId: "default", allowUnmatchedView: true },
      displaySets: [{ id: "current", matchedDisplaySetsIndex: -1 }],
    },
    stages,
  };
}

export function hangingProtocols(): { name: string; protocol: Record<string, unknown> }[] {
  return KINDS.flatMap((kind) => [false, true].map((withPrior) => protocol(kind, withPrior))).map((one) => ({ name: String(one.id), protocol: one }));
}
