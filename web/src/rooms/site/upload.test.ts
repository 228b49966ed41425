// @vitest-environment node
import { describe, expect, it } from "vitest";
import { emptyOrder, orderBody, parseDate, problemsOf } from "./orderForm";
import { batches, failureWords, isDicom, multipart, readAnswer, sortFiles } from "./upload";

const dicom = (name: string) => new File([new Uint8Array(128), "DICM", new Uint8Array(16)], name);
const found = (...files: File[]) => files.map((file) => ({ file, path: file.name }));

describe("what is dropped", () => {
  it("is sorted by its content, not by its name", async () => {
    const sorted = await sortFiles(found(dicom("IM0001"), dicom("DICOMDIR"), new File(["%PDF-1.7"], "requisition.PDF"), new File(["DICM"], "short.dcm"), new File(["x"], ".DS_Store")));
    expect(sorted.images.map((one) => one.file.name)).toEqual(["IM0001"]);
    expect(sorted.documents.map((one) => one.name)).toEqual(["requisition.PDF"]);
    expect(sorted.others).toBe(1);
  });
  it("is DICOM only with its mark after the preamble", async () => {
    expect(await isDicom(dicom("a"))).toBe(true);
    expect(await isDicom(new Blob(["DICM", new Uint8Array(200)]))).toBe(false);
  });
});

describe("a request", () => {
  it("holds at most so many files and bytes, and one file that is larger alone", () => {
    const files = [5, 5, 20, 1, 1, 1].map((size) => ({ size }));
    expect(batches(files, 2, 10).map((batch) => batch.map((file) => file.size))).toEqual([[5, 5], [20], [1, 1], [1]]);
    expect(batches([], 2, 10)).toEqual([]);
  });
  it("is multipart/related with each file as it is", async () => {
    const body = await new Response(multipart([new Blob(["AB\r\n--x"]), new Blob(["C"])], "b0")).text();
    expect(body).toBe("--b0\r\nContent-Type: application/dicom\r\n\r\nAB\r\n--x\r\n--b0\r\nContent-Type: application/dicom\r\n\r\nC\r\n--b0--\r\n");
  });
});

describe("the server's answer", () => {
  it("counts what is stored and tells each failure in words", () => {
    const answer = readAnswer({ "00081199": { Value: [{}, {}] }, "00081198": { Value: [{ "00081197": { Value: [0xc000] } }, { "00081197": { Value: [0xc000] } }, { "00081197": { Value: [272] } }] } }, 5);
    expect(answer.stored).toBe(2);
    expect(failureWords(answer.failed)).toBe("2 files were not taken: it is not a DICOM image that can be read; 1 file was not taken: the server refused it");
  });
  it("without a body is all of them", () => expect(readAnswer(null, 3)).toEqual({ stored: 3, failed: new Map() }));
});

describe("an order by hand", () => {
  const now = Date.parse("2026-11-25T00:00:00Z");
  it.each([
    ["14 Mar 1958", "1958-03-14"],
    ["14.3.1958", "1958-03-14"],
    ["14/03/1958", "1958-03-14"],
    ["19580314", "1958-03-14"],
    ["1958-03-14", "1958-03-14"],
    ["31.2.1958", null],
    ["14 Foo 1958", null],
    ["1958", null],
  ])("takes the birth date %s", (text, date) => expect(parseDate(text)).toBe(date));

  it("says what is missing, by field", () => {
    expect(Object.keys(problemsOf(emptyOrder("f"), now))).toEqual(["identifier", "family_name", "procedures.0.description"]);
    const form = { ...emptyOrder("f"), identifier: "1", family_name: "Berg", birth_date: "1 Jan 2030", accession: "12345678901234567", procedures: [{ key: 0, description: "CT head", modality: "", laterality: "" }] };
    expect(Object.keys(problemsOf(form, now))).toEqual(["birth_date", "accession"]);
  });

  it("goes to the server trimmed, with nothing for what is empty", () => {
    const form = { ...emptyOrder("f"), identifier: " 4471 ", family_name: " Berg ", birth_date: "11.2.1971", procedures: [{ key: 0, description: " CT head ", modality: "CT", laterality: "" }] };
    expect(orderBody(form, true)).toMatchObject({ facility_id: "f", accession: null, confirm_patient: true, patient: { identifier: "4471", authority: null, family_name: "Berg", birth_date: "1971-02-11", sex: null }, procedures: [{ description: "CT head", modality: "CT", laterality: null }] });
  });
});
