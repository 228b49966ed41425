import { describe, expect, it } from "vitest";
import type { FeedDefaults } from "../../api/types";
import { draftOf, effectWords, isDefault, mappingOf, meaningWords, tableOf, tableText, wrongPath } from "./feeds";

const DEFAULTS: FeedDefaults = {
  values: [
    { name: "accession_number", label: "Accession number", reads: "value", why: "IHE", paths: ["IPC-1.1", "OBR-18"], otherwise: ["OBR-3.1"], agree: true },
    { name: "modality", label: "Modality", reads: "value", why: "HL7", paths: ["OBR-24"], otherwise: [], agree: false },
  ],
  identifier_types: ["MR", "PI"],
  priorities: { STAT: "Stat" },
  kinds: ["ORM^O01"],
};

describe("a feed's mapping", () => {
  it("begins with the defaults and shows what differs", () => {
    const draft = draftOf({ values: { modality: { paths: ["IPC-5.1"] } }, priorities: { E: "STAT" } }, DEFAULTS);
    expect(draft.rows.map((row) => isDefault(row, DEFAULTS))).toEqual([true, false]);
    expect(draft.priorities).toBe("E = STAT");
    expect(draft.types).toEqual(["MR", "PI"]);
    expect(mappingOf(draft).mapping.values?.modality).toEqual({ paths: ["IPC-5.1"], otherwise: [], agree: false });
  });
  it("names what is no place and no table", () => {
    const draft = draftOf({}, DEFAULTS);
    draft.rows[0]?.paths.push("OBR18");
    draft.modalities = "MAMMO";
    const { problems } = mappingOf({ ...draft, rows: draft.rows.map((row) => (row.name === "accession_number" ? { ...row, paths: ["OBR18"] } : row)) });
    expect(Object.keys(problems)).toEqual(["accession_number", "modalities"]);
    expect(problems.accession_number).toContain("OBR18");
  });
  it("reads places as the server does", () => {
    for (const good of ["OBR-18", "IPC-1.1", "PID-3[2].4.1", "OBX(110180)-5"]) expect(wrongPath(good)).toBeNull();
    for (const bad of ["obr-18", "OBR-0", "OBR", "OBR-18.0"]) expect(wrongPath(bad)).not.toBeNull();
  });
  it("reads tables of codes", () => {
    expect(tableOf("e1 = stat\n\n R=routine ")).toEqual({ E1: "STAT", R: "ROUTINE" });
    expect(tableOf("E1 STAT")).toBeNull();
    expect(tableText({ A: "ASAP", B: "STAT" })).toBe("A = ASAP\nB = STAT");
  });
  it("says what a value means here", () => {
    expect(meaningWords({ name: "priority", value: "S", meaning: "STAT" })).toBe("means STAT");
    expect(meaningWords({ name: "patient_id", value: "1", meaning: "NORFJORD" })).toBe("assigned by NORFJORD");
    expect(meaningWords({ name: "procedure", value: null, meaning: "CT head" })).toBe("CT head");
  });
  it("says once what would be done", () => {
    const effect = (action: string, fields: string[] = []) => ({ action, fields, reason: null });
    expect(effectWords([effect("patient.created"), effect("order.changed", ["priority", "referrer_name"]), effect("patient.created"), effect("grant.given")])).toEqual(["A patient would be made", "The order would change: priority, referrer name"]);
  });
});
