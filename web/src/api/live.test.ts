import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { gatherer } from "./live";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function cast() {
  const client = new QueryClient();
  const add = (key: string, meta?: { topics: ("case" | "shift")[]; only?: string }) => {
    client.setQueryData([key], 1);
    client.getQueryCache().find({ queryKey: [key] })?.setOptions({ queryKey: [key], meta });
  };
  add("list", { topics: ["case"] });
  add("one", { topics: ["case"], only: "c1" });
  add("rota", { topics: ["shift"] });
  add("settings");
  const stale = () => ["list", "one", "rota", "settings"].filter((key) => client.getQueryState([key])?.isInvalidated);
  return { client, stale };
}

describe("live changes", () => {
  it("ask again what names the topic, once for a burst", () => {
    const { client, stale } = cast();
    const invalidate = vi.spyOn(client, "invalidateQueries");
    const tell = gatherer(client);
    tell({ topic: "case", id: "c2" });
    tell({ topic: "case", id: "c3" });
    expect(stale()).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(stale()).toEqual(["list"]);
    expect(invalidate).toHaveBeenCalledTimes(1);
  });

  it("ask again a single case only for its own id", () => {
    const { client, stale } = cast();
    const tell = gatherer(client);
    tell({ topic: "case", id: "c1" });
    vi.advanceTimersByTime(200);
    expect(stale()).toEqual(["list", "one"]);
  });

  it("ask for everything live on resync, and leave the rest", () => {
    const { client, stale } = cast();
    gatherer(client)("resync");
    vi.advanceTimersByTime(200);
    expect(stale()).toEqual(["list", "one", "rota"]);
  });
});
