import { describe, expect, it } from "vitest";
import type { Destination } from "../../api/types";
import { bodyOf, DEFAULTS, fieldsOf, KINDS, type Kind, lasting, stateOf, valuesOf, whereTo } from "./destinations";
import { problemsOf } from "./RecordDialog";

const fare = { endpoint_id: "e", queued: 0, sent: 0, held: 0, failed: 0, acknowledged: 0, retriable: 0, waiting_since: null, last_success_at: null, median_seconds: null, slow_seconds: null, last_error_at: null, last_error: null };
const hook = { id: "d", kind: "webhook", name: "Portal", is_active: true, facility_id: "f", host: null, port: null, application: "", facility_name: "", charset: "UNICODE UTF-8", settings: { url: "https://a.example/x", with_report: false, preliminary: true } } as unknown as Destination;

describe("the form of a destination", () => {
  it("has what each kind needs, and nothing required is missing from its defaults that could be there", () => {
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const fields = fieldsOf(kind);
      expect(fields.at(-1)?.name).toBe("preliminary");
      for (const name of Object.keys(DEFAULTS[kind])) expect(fields.map((field) => field.name)).toContain(name);
    }
  });

  it("sends columns beside and its own settings below, and loses nothing that it does not know", () => {
    const body = bodyOf("webhook", { ...valuesOf(hook), url: " https://b.example/y ", with_report: true }, { ...hook.settings, later: 1 });
    expect(body).toEqual({ facility_id: "f", name: "Portal", settings: { url: "https://b.example/y", with_report: true, preliminary: true, later: 1 } });
    const sftp = bodyOf("sftp", { facility_id: "f", name: "Drop", host: "h", port: 22, user: "u", folder: "in", host_key: "SHA256:x" });
    expect(sftp).toEqual({ facility_id: "f", name: "Drop", host: "h", port: 22, settings: { user: "u", folder: "in", host_key: "SHA256:x", preliminary: false } });
  });

  it("says what is no address and no host key", () => {
    expect(problemsOf(fieldsOf("webhook"), { url: "ftp://x" })).toHaveProperty("url");
    expect(problemsOf(fieldsOf("webhook"), { url: "https://x.example/" })).toEqual({});
    expect(problemsOf(fieldsOf("sftp"), { host: "h", port: 22, user: "u", folder: ".", host_key: "ssh-rsa AAA" })).toHaveProperty("host_key");
  });
});

it("tells how one fares in a word", () => {
  expect(stateOf({ is_active: false, fare })[1]).toBe("stopped");
  expect(stateOf({ is_active: true, fare })[1]).toBe("nothing yet");
  expect(stateOf({ is_active: true, fare: { ...fare, last_success_at: "2026-11-25T01:00:00Z" } })).toEqual(["just", "all delivered"]);
  expect(stateOf({ is_active: true, fare: { ...fare, queued: 1, sent: 1 } })).toEqual(["waiting", "2 under way"]);
  expect(stateOf({ is_active: true, fare: { ...fare, held: 1, failed: 2, queued: 9 } })).toEqual(["bad", "3 held or failed"]);
});

it("tells times and places", () => {
  expect([null, 0.42, 75, 600, 9000].map(lasting)).toEqual(["–", "0.4 s", "75 s", "10 min", "2.5 h"]);
  expect(whereTo(hook)).toBe("https://a.example/x");
});
