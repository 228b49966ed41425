import { describe, expect, it } from "vitest";
import { safePlace } from "./SignIn";

describe("the place to go on to after sign-in", () => {
  it("stays within the app", () => {
    expect(safePlace("/read/0193a")).toBe("/read/0193a");
    for (const bad of [null, "", "//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example", "javascript:alert(1)", "/sign-in?over=1"]) expect(safePlace(bad)).toBeNull();
  });
});
