import { describe, expect, it } from "vitest";
import { holdings, otherOf, plain, sideBySide } from "./words";

const kari = { family_name: "Larsen", given_name: "Kari", birth_date: "1948-03-12", sex: "F", identifiers: [{ authority: "NORFJORD", value: "NF-1" }] };

describe("two patients", () => {
  const differing = (other: Partial<typeof kari>) =>
    sideBySide(kari, { ...kari, ...other })
      .filter(([, , differs]) => differs)
      .map(([label]) => label);

  it("differ where both are known and not the same; identifiers always do", () => {
    expect(differing({})).toEqual([]);
    expect(differing({ identifiers: [{ authority: "OTHER", value: "X" }] })).toEqual([]);
    expect(differing({ family_name: "LARSEN", given_name: "Kåri" })).toEqual([]);
    expect(differing({ family_name: "Nilsen", birth_date: "1970-01-01", sex: "M" })).toEqual(["Name", "Born", "Sex"]);
    expect(differing({ birth_date: "" })).toEqual([]);
  });
});

it("compares names without case, accents, marks and order", () => {
  expect(plain("ØDEGÅRD, Åse")).toBe(plain("Ase Odegard"));
  expect(plain("Larsen")).not.toBe(plain("Larsson"));
});

it("counts what a patient has", () => {
  expect(holdings({ studies: [1, 2], orders: [1], reports: [] })).toBe("2 studies, 1 order, no report");
});

it("shows whom a message describes beside the patient", () => {
  const told = { family_name: "Moen", given_name: "Tora", birth_date: "1970-01-01", sex: null };
  const lines = sideBySide(kari, otherOf({ other: null, told }));
  expect(lines.map(([, values, differs]) => [values[1], differs])).toEqual([
    ["MOEN, Tora", true],
    ["01 Jan 1970", true],
    ["not known", false],
    ["none", false],
  ]);
});
