import { describe, expect, it } from "vitest";
import { keyReader } from "./keys";
import type { ForwardedKey } from "./protocol";

const press = (key: string, held: Partial<ForwardedKey> = {}): ForwardedKey => ({ key, code: "", ctrlKey: false, altKey: false, shiftKey: false, metaKey: false, ...held });

describe("keys typed in the viewer", () => {
  it("are the viewer's own tools and windows", () => {
    const read = keyReader();
    expect(read(press("l"), false)).toEqual({ kind: "tool", name: "Length" });
    expect(read(press("3"), false)).toEqual({ kind: "preset", index: 2 });
    expect(read(press("r"), false)).toEqual({ kind: "command", name: "resetViewport" });
  });

  it("go to the page when they are the page's", () => {
    const read = keyReader();
    for (const key of ["n", "?", "Escape", "F8", "/"]) expect(read(press(key), false).kind).toBe("forward");
    expect(read(press("Enter", { ctrlKey: true }), false).kind).toBe("forward");
    expect(read(press("l", { ctrlKey: true }), false).kind).toBe("forward");
  });

  it("let a sequence of the page through: g then l is not Length", () => {
    let now = 0;
    const read = keyReader(() => now);
    read(press("g"), false);
    now = 500;
    expect(read(press("l"), false).kind).toBe("forward");
    read(press("g"), false);
    now = 5000;
    expect(read(press("l"), false).kind).toBe("tool");
  });

  it("stay in a field of the viewer, but for signing", () => {
    const read = keyReader();
    expect(read(press("l"), true).kind).toBe("leave");
    expect(read(press("Enter", { ctrlKey: true }), true).kind).toBe("forward");
  });
});
