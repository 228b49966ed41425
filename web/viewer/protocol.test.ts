import { describe, expect, it } from "vitest";
import { CHANNEL, received } from "./protocol";
import { isSlug, slugIn } from "./source";

const event = (data: unknown, origin: string, source: MessageEventSource | null) => new MessageEvent("message", { data, origin, source });

describe("messages between page and viewer", () => {
  const good = { channel: CHANNEL, message: { kind: "ready" } };

  it("are taken from the other window of this origin only", () => {
    const own = window.location.origin;
    expect(received(event(good, own, window), window)).toEqual({ kind: "ready" });
    expect(received(event(good, "https://elsewhere.example", window), window)).toBeNull();
    expect(received(event(good, own, null), window)).toBeNull();
    expect(received(event(good, own, window), null)).toBeNull();
    expect(received(event({ channel: "other", message: 1 }, own, window), window)).toBeNull();
    expect(received(event("text", own, window), window)).toBeNull();
  });
});

describe("the organisation in an address", () => {
  it("is read where it stands, and only when it is a slug", () => {
    expect(slugIn("/viewer/viewer/norfjord")).toBe("norfjord");
    expect(slugIn("/viewer/idle")).toBeNull();
    expect(slugIn("/viewer/viewer/../x")).toBeNull();
    expect(isSlug("../x")).toBe(false);
    expect(isSlug("llano-verde")).toBe(true);
  });
});
