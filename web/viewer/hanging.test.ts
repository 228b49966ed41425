import { describe, expect, it } from "vitest";
import { hangingProtocols, kindFor, protocolFor } from "./hanging";

describe("hanging", () => {
  it("chooses by the longest fitting exam class", () => {
    expect(kindFor("ct_head_noncontrast").id).toBe("ct-head");
    expect(kindFor("ct_abdomen").id).toBe("ct");
    expect(kindFor("mr-brain").id).toBe("mr");
    expect(kindFor("us_abdomen").id).toBe("plain");
    expect(kindFor(null).id).toBe("plain");
  });

  it("gives as many places as there are series, and puts a prior beside", () => {
    expect(protocolFor("mr_brain", false, 1)).toBe("hg-mr-one");
    expect(protocolFor("mr_brain", false, 3)).toBe("hg-mr-two");
    expect(protocolFor("mr_brain", false, 9)).toBe("hg-mr-four");
    expect(protocolFor("ct_head", false, 9)).toBe("hg-ct-head-one");
    expect(protocolFor("ct_head", true, 9)).toBe("hg-ct-head-prior");
  });

  it("has a protocol for every name it can choose", () => {
    const names = new Set(hangingProtocols().map((one) => one.name));
    for (const examClass of ["ct_head", "ct_chest", "mr_brain", "mg_screening", "dx_chest", null]) {
      for (const prior of [false, true]) for (const series of [1, 2, 4]) expect(names).toContain(protocolFor(examClass, prior, series));
    }
  });
});
