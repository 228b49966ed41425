import { useSyncExternalStore } from "react";
import { queryClient } from "../../api/client";
import { learnServerTime, serverNow } from "../../kit";
import { batches, failureWords, type Found, multipart, readAnswer } from "./upload";

/** What is on its way. It goes on while the person looks at another room; closing the browser's tab ends it. */
export interface Sending {
  id: number;
  label: string;
  files: number;
  bytes: number;
  sent: number;
  stored: number;
  startedAt: number;
  state: "sending" | "done" | "partly" | "failed";
  endedAt: number | null;
  trouble: string | null;
}

interface Job {
  files: File[];
  to: string;
  csrf: string;
}

let all: readonly Sending[] = [];
const jobs = new Map<number, Job>();
const requests = new Map<number, XMLHttpRequest>();
const listeners = new Set<() => void>();
let count = 0;

function change(id: number, some: Partial<Sending>): void {
  all = all.map((one) => (one.id === id ? { ...one, ...some } : one));
  for (const listener of listeners) listener();
}

export function useSending(): readonly Sending[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => all,
  );
}

export function send(images: readonly Found[], to: { slug: string; facilityId: string; csrf: string }): void {
  const files = images.map((one) => one.file);
  const id = ++count;
  const folder = images[0]?.path.includes("/") ? images[0].path.split("/")[0] : null;
  const label = folder ? `Folder ${folder}` : files.length === 1 ? (files[0]?.name ?? "1 file") : `${files.length} files`;
  jobs.set(id, { files, csrf: to.csrf, to: `/dicomweb/${encodeURIComponent(to.slug)}/studies?facility=${encodeURIComponent(to.facilityId)}` });
  const started: Sending = { id, label, files: files.length, bytes: files.reduce((sum, file) => sum + file.size, 0), sent: 0, stored: 0, startedAt: serverNow(), state: "sending", endedAt: null, trouble: null };
  all = [started, ...all].slice(0, 20);
  for (const listener of listeners) listener();
  void run(id);
}

/** Sends the same files once more: what the archive has already it keeps. */
export function sendAgain(id: number): void {
  if (!jobs.has(id)) return;
  change(id, { sent: 0, stored: 0, startedAt: serverNow(), state: "sending", endedAt: null, trouble: null });
  void run(id);
}

export function forget(id: number): void {
  requests.get(id)?.abort();
  jobs.delete(id);
  all = all.filter((one) => one.id !== id);
  for (const listener of listeners) listener();
}

async function run(id: number): Promise<void> {
  const job = jobs.get(id);
  if (!job) return;
  const failed = new Map<string, number>();
  let before = 0;
  let stored = 0;
  try {
    for (const batch of batches(job.files)) {
      const size = batch.reduce((sum, file) => sum + file.size, 0);
      const body = await post(id, job, batch, (loaded) => change(id, { sent: before + Math.min(loaded, size) }));
      if (!jobs.has(id)) return;
      const answer = readAnswer(body, batch.length);
      stored += answer.stored;
      for (const [reason, number] of answer.failed) failed.set(reason, (failed.get(reason) ?? 0) + number);
      before += size;
      change(id, { sent: before, stored });
    }
    change(id, { state: failed.size === 0 ? "done" : stored > 0 ? "partly" : "failed", endedAt: serverNow(), trouble: failed.size ? failureWords(failed) : null });
    if (failed.size === 0) jobs.delete(id);
  } catch (error) {
    if (jobs.has(id)) change(id, { state: "failed", endedAt: serverNow(), trouble: error instanceof Error ? error.message : "Not sent" });
  }
  void queryClient.invalidateQueries({ queryKey: ["site"] });
}

function post(id: number, job: Job, files: File[], progress: (loaded: number) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const boundary = `heliograph-${crypto.randomUUID()}`;
    // fetch tells nothing of an upload's progress.
    const request = new XMLHttpRequest();
    requests.set(id, request);
    request.open("POST", job.to);
    request.setRequestHeader("Content-Type", `multipart/related; type="application/dicom"; boundary=${boundary}`);
    request.setRequestHeader("Accept", "application/dicom+json");
    request.setRequestHeader("X-CSRF-Token", job.csrf);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onerror = () => reject(new Error("The connection was lost. What has arrived is kept; send again for the rest."));
    request.onabort = () => reject(new Error("Stopped"));
    request.onload = () => {
      learnServerTime(request.getResponseHeader("Date"));
      let body: unknown = null;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // A proxy's page: the status has to speak.
      }
      // 200 all, 202 some, 409 and 507 none: each of them tells file by file.
      if (request.status === 200 || request.status === 202 || (typeof body === "object" && body !== null && "00081198" in body)) resolve(body);
      else reject(new Error(refusal(request.status, body)));
    };
    request.send(multipart(files, boundary));
  });
}

function refusal(status: number, body: unknown): string {
  if (typeof body === "object" && body !== null && "detail" in body && typeof body.detail === "string") return body.detail;
  if (status === 401) return "You were signed out. Sign in, then send again.";
  if (status === 404 || status === 403) return "You may not send images for this facility.";
  if (status === 413) return "A file is larger than the server takes.";
  return `The server could not take them (${status}). Send again in a moment.`;
}

/** "about 2 min left" once it can be told. */
export function timeLeft(one: Sending, now: number): number | null {
  const gone = now - one.startedAt;
  if (one.state !== "sending" || one.sent === 0 || gone < 3000) return null;
  return ((one.bytes - one.sent) / one.sent) * gone;
}
