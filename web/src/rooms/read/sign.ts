import { ApiError, api, url } from "../../api/client";
import type { DraftContent, Version } from "../../api/types";

export type SignKind = "final" | "preliminary" | "addendum";

export interface SignRequest {
  revision: number;
  content: DraftContent;
  kind: SignKind;
  password?: string;
  totp?: string;
  overrides?: { check: string; reason: string }[];
}

export function signReport(readId: string, request: SignRequest): Promise<Version> {
  return api.post<Version>(url`/api/reads/${readId}/sign`, request);
}

/** What the server asks for before it takes the signature, or why it does not. */
export type Refusal =
  | { kind: "prove"; wrong: boolean; totp: boolean }
  | { kind: "new-images" }
  | { kind: "images-disagree" }
  | { kind: "identity-changed" }
  | { kind: "incomplete"; problems: { field: string | null; text: string }[] }
  | { kind: "moved-on" }
  | { kind: "not-yours"; text: string }
  | { kind: "offline" }
  | { kind: "other"; text: string };

function problems(error: ApiError): { field: string | null; text: string }[] {
  const listed = error.problem.problems;
  if (!Array.isArray(listed)) return [];
  return listed.flatMap((one: unknown) =>
    typeof one === "object" && one !== null && "text" in one && typeof one.text === "string" ? [{ field: "field" in one && typeof one.field === "string" ? one.field : null, text: one.text }] : [],
  );
}

export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof ApiError)) return { kind: "other", text: error instanceof Error ? error.message : "The report was not signed." };
  switch (error.code) {
    case "signature-needed":
      return { kind: "prove", wrong: false, totp: false };
    case "wrong-credentials":
      return { kind: "prove", wrong: true, totp: false };
    case "totp-needed":
      return { kind: "prove", wrong: false, totp: true };
    case "new-images":
      return { kind: "new-images" };
    case "images-disagree":
      return { kind: "images-disagree" };
    case "identity-changed":
      return { kind: "identity-changed" };
    case "incomplete":
      return { kind: "incomplete", problems: problems(error) };
    case "draft-moved-on":
      return { kind: "moved-on" };
    case "offline":
      return { kind: "offline" };
    case "held-by-another":
    case "no-longer-eligible":
    case "already-signed":
    case "not-open":
      return { kind: "not-yours", text: error.message };
    default:
      return { kind: "other", text: error.message };
  }
}

/** Which signature the main button gives, and whether a preliminary one is offered beside it. */
export function signKinds(read: { kind: string }, versions: number): { main: SignKind; preliminary: boolean } {
  if (read.kind === "addendum") return { main: "addendum", preliminary: false };
  if (read.kind === "preliminary") return { main: "preliminary", preliminary: false };
  return { main: "final", preliminary: versions === 0 };
}

export const SIGN_WORDS: Record<SignKind, { button: string; done: string }> = {
  final: { button: "Sign final", done: "Signed, on its way to the site" },
  preliminary: { button: "Sign preliminary", done: "Preliminary report signed, on its way to the site" },
  addendum: { button: "Sign addendum", done: "Addendum signed, on its way to the site" },
};
