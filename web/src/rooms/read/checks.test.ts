import { describe, expect, it } from "vitest";
import type { ViewerSeries } from "../../../viewer/protocol";
import { allChecks, gathered, pictureOf, unseenSeries } from "./checks";
import { toDoc } from "./text";

const series = (change: Partial<ViewerSeries>): ViewerSeries => ({ uid: "1", studyUid: "s", number: 4, description: "Bone", modality: "CT", slices: 64, seen: 64, prior: false, ...change });

describe("series not scrolled through", () => {
  it("ask, and priors, single images and finished ones don't", () => {
    expect(unseenSeries([series({ seen: 38 })]).map((one) => one.text)).toEqual(["Series 4, Bone. 26 of 64 images not scrolled through."]);
    expect(unseenSeries([series({ seen: 0 })])[0]?.text).toBe("Series 4, Bone. Not opened (64 images).");
    expect(unseenSeries([series({}), series({ prior: true, seen: 0 }), series({ slices: 1, seen: 0 })])).toEqual([]);
  });
});

describe("the picture on the screen", () => {
  it("is told wrong when it is of neither this exam nor its priors", () => {
    expect(pictureOf(null, ["a"], ["p"])).toBe("unknown");
    expect(pictureOf(["a", "p"], ["a"], ["p"])).toBe("right");
    expect(pictureOf(["p"], ["a"], ["p"])).toBe("only-priors");
    expect(pictureOf(["a", "x"], ["a"], ["p"])).toBe("wrong");
  });

  it("stops the signature, before everything else", () => {
    const all = allChecks([{ id: "follow-up", level: "ask", text: "When?", field: "recommendation" }], [], "wrong");
    expect(all[0]).toMatchObject({ id: "wrong-study", level: "stop" });
    expect(all[1]?.action).toEqual({ kind: "go", field: "recommendation" });
  });
});

it("tells what is empty in one line", () => {
  const stop = (field: string, text: string) => ({ id: "required", level: "stop", text, field }) as const;
  const all = allChecks([stop("haem", "Haemorrhage is not filled in."), stop("findings", "Findings is empty."), stop("side", "Left is said, the order is of the right.")], [series({ seen: 0 })], "right");
  const { empty, lines } = gathered(all);
  expect(empty.map((one) => one.name)).toEqual(["Haemorrhage", "Findings"]);
  expect(lines.map((one) => one.level)).toEqual(["stop", "ask"]);
  expect(gathered(all.slice(1)).lines).toHaveLength(3);
});

describe("section text", () => {
  it("is lines; an empty line is an empty paragraph", () => {
    expect(toDoc("a\n\nb").content?.map((paragraph) => paragraph.content?.length)).toEqual([1, 0, 1]);
  });
});
