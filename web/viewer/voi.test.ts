import { describe, expect, it } from "vitest";
import { mendVoi, takeable } from "./voi";

type Provider = (type: string, imageId: string) => unknown;

describe("the VOI LUT function", () => {
  it("is left out where it is linear or unknown", () => {
    for (const name of ["LINEAR", ["LINEAR"], "WHATEVER", null]) expect(takeable({ voiLUTFunction: name })).toEqual({});
  });

  it("goes where a text is taken as one", () => {
    expect(takeable({ voiLUTFunction: "SIGMOID" })).toEqual({ voiLutFunction: "SIGMOID" });
    expect(takeable({ voiLUTFunction: ["LINEAR_EXACT"] })).toEqual({ voiLutFunction: "LINEAR_EXACT" });
  });

  it("is mended before others are asked, and nothing else is", () => {
    const providers: Provider[] = [(type) => (type === "voiLutModule" ? { windowWidth: [4], voiLUTFunction: "LINEAR" } : type)];
    const metaData = {
      get: (type: string, imageId: string) => providers.map((provider) => provider(type, imageId)).find((found) => found !== undefined),
      addProvider: (provider: Provider) => void providers.unshift(provider),
    };
    mendVoi(metaData);
    expect(metaData.get("voiLutModule", "1")).toEqual({ windowWidth: [4] });
    expect(metaData.get("imagePlaneModule", "1")).toBe("imagePlaneModule");
  });
});
