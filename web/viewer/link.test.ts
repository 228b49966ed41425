import { describe, expect, it } from "vitest";
import { nearest, planeOf, targetPosition } from "./link";

const axial = (z: number, frameOfReferenceUID = "1.2") => ({ imagePositionPatient: [-100, -100, z], rowCosines: [1, 0, 0], columnCosines: [0, 1, 0], frameOfReferenceUID });
const plane = (z: number, frame?: string) => {
  const made = planeOf(axial(z, frame));
  if (!made) throw new Error("no plane");
  return made;
};

describe("linked scrolling", () => {
  it("goes to the same place in one frame of reference", () => {
    expect(targetPosition(plane(42), plane(10), { from: 0, to: 999 })).toBe(42);
  });

  it("keeps the distance at which two studies were linked", () => {
    expect(targetPosition(plane(42, "a"), plane(10, "b"), { from: 40, to: 7.5 })).toBe(9.5);
  });

  it("leaves a series that runs another way alone", () => {
    const sagittal = planeOf({ imagePositionPatient: [5, 0, 0], rowCosines: [0, 1, 0], columnCosines: [0, 0, -1], frameOfReferenceUID: "1.2" });
    expect(sagittal && targetPosition(plane(42), sagittal, { from: 0, to: 0 })).toBeNull();
  });

  it("does nothing without geometry, and finds the nearest slice with it", () => {
    expect(planeOf({ imagePositionPatient: [0, 0, 0] })).toBeNull();
    expect(nearest([0, 5, null, 10], 6)).toBe(1);
    expect(nearest([], 6)).toBe(-1);
  });
});
