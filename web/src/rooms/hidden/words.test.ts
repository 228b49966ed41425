import { expect, test } from "vitest";
import { hiddenBy, images, isInForce, kindWords, namedImages, numbersIn } from "./words";

test("kinds in words", () => {
  expect([kindWords("safety"), kindWords("deletion"), kindWords("new")]).toEqual(["Patient safety", "To be deleted", "new"]);
  expect([images(1), images(2)]).toEqual(["1 image", "2 images"]);
});

test("who hides", () => {
  expect(hiddenBy({ is_by_note: true, by: null, sender: "CT 1" })).toBe("a note from CT 1");
  expect(hiddenBy({ is_by_note: true, by: null })).toBe("a note of the site");
  expect(hiddenBy({ is_by_note: false, by: "Eirik Dahl" })).toBe("Eirik Dahl");
});

test("what is restored or gone hides nothing now", () => {
  expect(isInForce({ restored_at: null, purged_at: null })).toBe(true);
  expect(isInForce({ restored_at: "2026-11-25T01:00:00Z", purged_at: null })).toBe(false);
  expect(isInForce({ restored_at: null, purged_at: "2026-11-25T01:00:00Z" })).toBe(false);
});

test("numbers and ranges of images", () => {
  expect(numbersIn("3, 7-9 12")).toEqual([
    { from: 3, to: 3 },
    { from: 7, to: 9 },
    { from: 12, to: 12 },
  ]);
  expect(numbersIn("")).toEqual([]);
  expect(["x", "9-7", "-3", "1.5"].map(numbersIn)).toEqual([null, null, null, null]);
  const list = [1, 2, 3, null, 9].map((number, index) => ({ sop_instance_uid: `1.${index}`, number, number_of_frames: 1 }));
  expect(namedImages(list, "2-3, 9").map((one) => one.number)).toEqual([2, 3, 9]);
  expect(namedImages(list, "x")).toEqual([]);
});
