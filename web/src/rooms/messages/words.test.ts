import { describe, expect, it } from "vitest";
import { bytes, fateOf, instant, isNarrowed, queryOf, shortened, wantedOf } from "./words";

describe("the search of the message log", () => {
  it("asks for everything where nothing is said", () => {
    const wanted = wantedOf(new URLSearchParams());
    expect(isNarrowed(wanted)).toBe(false);
    expect(queryOf(wanted, 100, null)).toBe("limit=100");
  });

  it("asks for what the address says", () => {
    const wanted = wantedOf(new URLSearchParams("way=in&type=orm&control= NF-1 &endpoint=e1&order=o1&fate=held"));
    expect(isNarrowed(wanted)).toBe(true);
    const query = new URLSearchParams(queryOf(wanted, 50, "next"));
    expect(Object.fromEntries(query)).toEqual({ limit: "50", direction: "in", fate: "held", endpoint_id: "e1", type: "ORM", control_id: "NF-1", order_id: "o1", after: "next" });
  });

  it("finds trouble by its fates, whatever fate was chosen before", () => {
    const query = new URLSearchParams(queryOf(wantedOf(new URLSearchParams("way=trouble&fate=sent")), 100, null));
    expect(query.getAll("fate")).toEqual(["held", "rejected", "no_answer", "not_sent"]);
    expect(query.get("direction")).toBeNull();
  });

  it("tells times as instants and leaves out what is none", () => {
    expect(instant("2026-11-25T02:30")).toBe(new Date("2026-11-25T02:30").toISOString());
    expect(instant("yesterday")).toBeNull();
    expect(instant("")).toBeNull();
  });
});

it("has words for every fate, and shows an unknown one as it is", () => {
  expect(fateOf("rejected")).toEqual(["bad", "Refused"]);
  expect(fateOf("pondered")[1]).toBe("pondered");
});

it("tells sizes and cuts long values", () => {
  expect([bytes(27), bytes(2048), bytes(3 * 1024 * 1024)]).toEqual(["27 bytes", "2.0 KiB", "3.0 MiB"]);
  expect(shortened("abc")).toBe("abc");
  expect(shortened("x".repeat(700))).toContain("100 more characters");
});
