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

/** Layouts a kind comes in. OHIF takes a named protocol's first stage whatever matches, so each layout is a protocol of its own. */
type Layout = "one" | "two" | "four" | "prior";

const idOf = (kind: Kind, layout: Layout) => `hg-${kind.id}-${layout}`;

/** How many places this exam's images want when it is read alone: series must be counted only where it is more than one. */
export function placesFor(examClass: string | null): number {
  return kindFor(examClass).places;
}

/** The protocol's id for an exam, as it goes into the address. `series`: how many of the study have images. */
export function protocolFor(examClass: string | null, withPrior: boolean, series: number): string {
  const kind = kindFor(examClass);
  const places = Math.min(kind.places, series);
  return idOf(kind, withPrior ? "prior" : places >= 4 ? "four" : places >= 2 ? "two" : "one");
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
    },
    displaySets: [{ id: which, matchedDisplaySetsIndex: index, options: kind.voi ? { voi: kind.voi } : {} }],
  };
}

type Place = readonly ["current" | "prior", number];

const LAYOUTS: Record<Layout, { name: string; rows: number; columns: number; places: readonly Place[] }> = {
  one: { name: "", rows: 1, columns: 1, places: [["current", 0]] },
  two: { name: ", two series", rows: 1, columns: 2, places: [["current", 0], ["current", 1]] },
  four: { name: ", four series", rows: 2, columns: 2, places: [["current", 0], ["current", 1], ["current", 2], ["current", 3]] },
  prior: { name: " with prior", rows: 1, columns: 2, places: [["current", 0], ["prior", 0]] },
};

function protocol(kind: Kind, layout: Layout): Record<string, unknown> {
  const { name, rows, columns, places } = LAYOUTS[layout];
  return {
    id: idOf(kind, layout),
    name: `${kind.name}${name}`,
    numberOfPriorsReferenced: layout === "prior" ? 1 : 0,
    // Never chosen by itself: the page names it.
    protocolMatchingRules: [],
    toolGroupIds: ["default"],
    displaySetSelectors: { current: selector(kind, 0), ...(layout === "prior" ? { prior: selector(kind, 1) } : {}) },
    defaultViewport: {
      viewportOptions: { viewportType: "stack", toolGroupId: "default", allowUnmatchedView: true },
      displaySets: [{ id: "current", matchedDisplaySetsIndex: -1 }],
    },
    stages: [
      {
        name: name || kind.name,
        stageActivation: { enabled: { minViewportsMatched: 1 } },
        viewportStructure: { layoutType: "grid", properties: { rows, columns } },
        viewports: places.map(([which, index]) => viewport(kind, which, index)),
      },
    ],
  };
}

export function hangingProtocols(): { name: string; protocol: Record<string, unknown> }[] {
  return KINDS.flatMap((kind) => (Object.keys(LAYOUTS) as Layout[]).map((layout) => protocol(kind, layout))).map((one) => ({ name: String(one.id), protocol: one }));
}
