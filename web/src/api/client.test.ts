import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api, ApiError, setCsrfToken, url, whenSessionEnds } from "./client";

/** The network is the world outside: answers are queued here, requests are kept. */
const answers: Response[] = [];
const asked: { path: string; method: string; headers: Headers; body: unknown }[] = [];
const ended = vi.fn();

const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });

beforeEach(() => {
  answers.length = 0;
  asked.length = 0;
  ended.mockClear();
  setCsrfToken("t1");
  whenSessionEnds(ended);
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    asked.push({ path, method: init.method ?? "GET", headers: new Headers(init.headers), body: init.body });
    const answer = answers.shift();
    return answer ? Promise.resolve(answer) : Promise.reject(new TypeError("network"));
  });
});
afterEach(() => vi.unstubAllGlobals());

describe("a request", () => {
  it("says when nobody is at the page", async () => {
    vi.useFakeTimers({ now: Date.now(), toFake: ["Date"] });
    window.dispatchEvent(new KeyboardEvent("keydown", { key: "j" }));
    answers.push(json(200, {}), json(200, {}), json(200, {}));
    await api.get("/api/board");
    vi.setSystemTime(Date.now() + 120_000);
    await api.get("/api/board");
    window.dispatchEvent(new KeyboardEvent("keydown", { key: "j" }));
    await api.get("/api/board");
    expect(asked.map((one) => one.headers.get("X-Unattended"))).toEqual([null, "1", null]);
    vi.useRealTimers();
  });
});

async function refusal(promise: Promise<unknown>): Promise<ApiError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

describe("the client", () => {
  it("sends the token with what changes something, not with what reads", async () => {
    answers.push(json(200, { a: 1 }), json(200, {}), new Response(null, { status: 204 }));
    expect(await api.get<{ a: number }>("/api/x")).toEqual({ a: 1 });
    await api.post("/api/x", { b: 2 });
    expect(await api.del("/api/x")).toBeUndefined();
    expect(asked.map((one) => one.headers.get("X-CSRF-Token"))).toEqual([null, "t1", "t1"]);
    expect(asked[1]?.body).toBe('{"b":2}');
  });

  it("tells a refusal in the server's words, with its members", async () => {
    answers.push(json(409, { title: "Held by another", detail: "Dr Oyelaran has this report open.", code: "held-by-another", type: "about:x", holder: "Dr Oyelaran" }));
    const error = await refusal(api.post("/api/reads/1/open"));
    expect(error).toMatchObject({ status: 409, code: "held-by-another", message: "Dr Oyelaran has this report open.", type: "about:x" });
    expect(error.problem.holder).toBe("Dr Oyelaran");
  });

  it("has words for a proxy's page and for no network", async () => {
    answers.push(new Response("<html>", { status: 502 }));
    expect((await refusal(api.get("/api/x"))).title).toBe("The server could not answer");
    expect(await refusal(api.get("/api/x"))).toMatchObject({ status: 0, code: "offline" });
  });

  it("goes to sign in when the session is over, not when a password is asked for", async () => {
    answers.push(json(401, { code: "signature-needed", title: "Prove it is you" }), json(401, { code: "not-signed-in", title: "Sign in to go on" }));
    await refusal(api.post("/api/reads/1/sign", {}));
    expect(ended).not.toHaveBeenCalled();
    await refusal(api.get("/api/my-list"));
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it("takes the new token after signing in again in another tab, and asks once more", async () => {
    answers.push(json(403, { code: "csrf-mismatch" }), json(200, { csrf_token: "t2" }), json(200, { ok: true }));
    expect(await api.put<{ ok: boolean }>("/api/x", {})).toEqual({ ok: true });
    expect(asked.map((one) => one.headers.get("X-CSRF-Token"))).toEqual(["t1", null, "t2"]);
  });

  it("escapes what is put into a path", () => {
    expect(url`/api/cases/${"a/b?c"}/timeline`).toBe("/api/cases/a%2Fb%3Fc/timeline");
  });
});
