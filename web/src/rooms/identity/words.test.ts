import { describe, expect, it } from "vitest";
import type { KnownPatient, NamedByImages } from "../../api/types";
import { compared, disagreementWords, nameWords, toDicom, toField, valueWords } from "./words";

const kari: KnownPatient = { id: "k", display_name: "LARSEN, Kari", family_name: "Larsen", given_name: "Kari", birth_date: "1948-03-12", age_years: 78, sex: "F", identifiers: [{ authority: "NORFJORD", value: "NF-1" }] };
const image = (change: Partial<NamedByImages>): NamedByImages => ({ name: "LARSEN^Kari", id: "NF-1", issuer: "", birth_date: "1948-03-12", sex: "F", number_of_instances: 2, known: null, ...change });

describe("whom images name beside whom the study is filed under", () => {
  const differing = (one: Partial<NamedByImages>) =>
    compared({ patient: kari, images: [image(one)] })
      .filter((line) => line.images[0]?.differs)
      .map((line) => line.label);

  it("is amber only where both say something else", () => {
    expect(differing({})).toEqual([]);
    expect(differing({ name: "Kari^LARSEN" })).toEqual([]);
    expect(differing({ name: "", birth_date: null, sex: "" })).toEqual([]);
    expect(differing({ name: "NILSEN^Nora", id: "NF-2", birth_date: "1970-01-01", issuer: "OTHER" })).toEqual(["Name", "Born", "Identifier", "Assigned by"]);
  });

  it("differs from nobody where the study is filed under nobody", () => {
    expect(compared({ patient: null, images: [image({})] }).every((line) => line.filed === "not known" && !line.images[0]?.differs)).toBe(true);
  });
});

it("reads a name without its marks", () => {
  expect(nameWords("LARSEN^Kari^Anne=漢字")).toBe("LARSEN Kari Anne");
  expect(nameWords("")).toBe("");
});

it("reads the values of a step", () => {
  expect(valueWords("00100030", "19480312")).toBe("12 Mar 1948");
  expect(valueWords("00080020", "20261125")).toBe("25 Nov 2026");
  expect(valueWords("00100020", "19480312")).toBe("19480312");
  expect(valueWords("00100010", "LARSEN^Kari")).toBe("LARSEN Kari");
  expect(valueWords("00100040", "")).toBe("empty");
  expect(valueWords("00101010", null)).toBe("not known");
});

it("writes dates as a data set does", () => {
  expect(toDicom({ vr: "DA" }, "1948-03-12")).toBe("19480312");
  expect(toField({ vr: "DA" }, "19480312")).toBe("1948-03-12");
  expect(toDicom({ vr: "LO" }, " CT head ")).toBe("CT head");
});

it("says what disagrees", () => {
  expect(disagreementWords({ study_id: "s", order_id: "o", field: "birth_date", in_order: "1948-03-12", in_images: "1948-12-03" })).toBe("birth date: order 12 Mar 1948, images 03 Dec 1948");
  expect(disagreementWords({ study_id: "s", order_id: "o", field: "laterality", in_order: "right", in_images: "left" })).toBe("side: order right, images left");
});
