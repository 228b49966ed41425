import { learnServerTime } from "../kit/now";
import { QueryClient } from "@tanstack/react-query";
import { isAttended } from "./attended";

/** A refusal or failure as the server tells it (RFC 9457 problem details). */
export class ApiError extends Error {
  constructor(
    readonly title: string,
    readonly detail: string | undefined,
    readonly status: number,
    readonly type: string,
    /** Short stable name of the refusal: "held-by-another". */
    readonly code: string,
    /** The whole problem, with the members of its own kind (holder, problems ...). */
    readonly problem: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail ?? title);
    this.name = "ApiError";
  }
}

let csrfToken = "";

/** The session hook keeps this current. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Refusals of 401 that ask for something on the page; any other 401 means that the session is over. */
const ASKS = new Set(["wrong-credentials", "totp-needed", "signature-needed"]);

let onSessionEnd: (() => void) | null = null;

/** What to do when the server no longer knows the session: go to sign in, keeping the place. */
export function whenSessionEnds(handler: () => void): void {
  onSessionEnd = handler;
}

async function problemOf(response: Response): Promise<ApiError> {
  let problem: Record<string, unknown> = {};
  try {
    const body: unknown = await response.json();
    if (typeof body === "object" && body !== null) problem = body as Record<string, unknown>;
  } catch {
    // A proxy's page or an empty body: the status has to speak.
  }
  const text = (name: string) => (typeof problem[name] === "string" ? problem[name] : undefined);
  const fallback =
    response.status >= 500
      ? "The server could not answer"
      : response.status === 404
        ? "This is not here, or not for you"
        : response.status === 403
          ? "You may not do this"
          : "The server refused this";
  const detail = text("detail") ?? (response.status >= 500 ? "Your work is kept. Try again in a moment; if it goes on, tell the reading desk." : undefined);
  return new ApiError(text("title") ?? fallback, detail, response.status, text("type") ?? "about:blank", text("code") ?? "", problem);
}

interface Options {
  method?: string;
  body?: unknown;
  signal?: AbortSignal;
  /** Goes on although the page is being left (release of a lock, last save). */
  keepalive?: boolean;
}

async function send(path: string, options: Options): Promise<Response> {
  const headers = new Headers({ Accept: "application/json" });
  let body: BodyInit | undefined;
  if (options.body instanceof FormData) body = options.body;
  else if (options.body !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(options.body);
  }
  const method = options.method ?? "GET";
  if (!isAttended()) headers.set("X-Unattended", "1");
  if (method !== "GET" && csrfToken) headers.set("X-CSRF-Token", csrfToken);
  let response: Response;
  try {
    response = await fetch(path, { method, headers, body, signal: options.signal, keepalive: options.keepalive, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("No connection to the server", "What you typed is kept. This page goes on by itself when the network is back.", 0, "about:blank", "offline");
  }
  learnServerTime(response.headers.get("Date"));
  return response;
}

async function renewCsrf(): Promise<void> {
  // Signed in again in another tab: the session, and so its token, is another one.
  const response = await send("/api/session", {});
  if (!response.ok) return;
  const session: unknown = await response.json();
  if (typeof session === "object" && session !== null && "csrf_token" in session && typeof session.csrf_token === "string") setCsrfToken(session.csrf_token);
}

async function answer(path: string, options: Options): Promise<Response> {
  let response = await send(path, options);
  if (response.ok) return response;
  let problem = await problemOf(response);
  if (problem.status === 403 && problem.code.includes("csrf")) {
    await renewCsrf();
    response = await send(path, options);
    if (response.ok) return response;
    problem = await problemOf(response);
  }
  if (problem.status === 401 && !ASKS.has(problem.code) && path !== "/api/session") onSessionEnd?.();
  throw problem;
}

async function request<T>(path: string, options: Options): Promise<T> {
  const response = await answer(path, options);
  if (response.status === 204 || response.headers.get("Content-Length") === "0") return undefined as T;
  return (await response.json()) as T;
}

export const api = {
  get: <T>(path: string, signal?: AbortSignal) => request<T>(path, { signal }),
  post: <T = void>(path: string, body: unknown = {}, options: Pick<Options, "keepalive"> = {}) => request<T>(path, { method: "POST", body, ...options }),
  put: <T = void>(path: string, body: unknown, options: Pick<Options, "keepalive"> = {}) => request<T>(path, { method: "PUT", body, ...options }),
  patch: <T = void>(path: string, body: unknown) => request<T>(path, { method: "PATCH", body }),
  del: <T = void>(path: string) => request<T>(path, { method: "DELETE" }),
  /** Multipart: the browser writes the boundary itself. */
  upload: <T = void>(path: string, form: FormData) => request<T>(path, { method: "POST", body: form }),
};

/** A path with its parameters escaped: url`/api/cases/${id}`. */
export function url(strings: TemplateStringsArray, ...values: (string | number)[]): string {
  return strings.reduce((path, part, index) => path + part + (index < values.length ? encodeURIComponent(String(values[index])) : ""), "");
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // Live events tell what changed; until one comes what we have is good.
      staleTime: 30_000,
      refetchOnWindowFocus: true,
      retry: (count, error) => (error instanceof ApiError && error.status > 0 && error.status < 500 ? false : count < 3),
      retryDelay: (count) => Math.min(1000 * 2 ** count, 8000),
    },
    mutations: { retry: false },
  },
});
