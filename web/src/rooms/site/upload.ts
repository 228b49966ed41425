/** Sending images from the browser by STOW-RS (PS3.18 10.5): files are never read into memory as a whole, and go as they are. */

export interface Found {
  file: File;
  /** Path within what was dropped. */
  path: string;
}

export interface Sorted {
  images: Found[];
  /** PDF, PNG, JPEG: belong to an order. */
  documents: File[];
  /** Neither; told, not sent. */
  others: number;
}

const DOCUMENT = /\.(pdf|png|jpe?g)$/i;

/** DICOM files carry "DICM" after a preamble of 128 bytes (PS3.10 7.1). */
export async function isDicom(file: Blob): Promise<boolean> {
  if (file.size < 132) return false;
  return (await file.slice(128, 132).text()) === "DICM";
}

/** What to send, what to attach, what to leave. A disc's DICOMDIR is its table of contents, no image. */
export async function sortFiles(found: readonly Found[]): Promise<Sorted> {
  const sorted: Sorted = { images: [], documents: [], others: 0 };
  for (const one of found) {
    const name = one.file.name;
    if (name.toUpperCase() === "DICOMDIR" || name.startsWith(".")) continue;
    if (await isDicom(one.file)) sorted.images.push(one);
    else if (DOCUMENT.test(name)) sorted.documents.push(one.file);
    else sorted.others += 1;
  }
  return sorted;
}

/** The files of a drop, folders opened. */
export async function filesOf(items: DataTransferItemList, files: FileList): Promise<Found[]> {
  const entries = Array.from(items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return Array.from(files, (file) => ({ file, path: file.name }));
  const found: Found[] = [];
  const walk = async (entry: FileSystemEntry, path: string): Promise<void> => {
    if (entry.isFile) {
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      found.push({ file, path: path + file.name });
    } else if (entry.isDirectory) {
      const reader = (entry as FileSystemDirectoryEntry).createReader();
      // A reader gives at most a hundred entries a call.
      for (;;) {
        const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
        if (some.length === 0) break;
        for (const inner of some) await walk(inner, `${path}${entry.name}/`);
      }
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found;
}

/** Requests of at most so many files and bytes, so that a lost connection costs one of them. */
export function batches<T extends { size: number }>(files: readonly T[], most = 200, bytes = 128 * 2 ** 20): T[][] {
  const made: T[][] = [];
  let current: T[] = [];
  let size = 0;
  for (const file of files) {
    if (current.length > 0 && (current.length >= most || size + file.size > bytes)) {
      made.push(current);
      current = [];
      size = 0;
    }
    current.push(file);
    size += file.size;
  }
  if (current.length) made.push(current);
  return made;
}

/** multipart/related of application/dicom (RFC 2387). The browser reads the files as it sends them. */
export function multipart(files: readonly Blob[], boundary: string): Blob {
  const parts: BlobPart[] = [];
  for (const file of files) parts.push(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, "\r\n");
  parts.push(`--${boundary}--\r\n`);
  return new Blob(parts);
}

const REASONS: Record<number, string> = {
  0xa700: "the server's disk is full; the reading desk was told",
  0xa900: "it belongs to another study",
  0xc000: "it is not a DICOM image that can be read",
};

export interface Answer {
  stored: number;
  /** Reason in words, with how many. */
  failed: Map<string, number>;
}

type Sequence = { Value?: { "00081197"?: { Value?: number[] } }[] };

/** A Store Instances Response (PS3.18 Annex I.2) in words. */
export function readAnswer(body: unknown, sent: number): Answer {
  const answer: Answer = { stored: 0, failed: new Map() };
  if (typeof body !== "object" || body === null) return { stored: sent, failed: new Map() };
  const sequences = body as { "00081198"?: Sequence; "00081199"?: Sequence };
  answer.stored = sequences["00081199"]?.Value?.length ?? 0;
  for (const item of sequences["00081198"]?.Value ?? []) {
    const reason = REASONS[item["00081197"]?.Value?.[0] ?? 0] ?? "the server refused it";
    answer.failed.set(reason, (answer.failed.get(reason) ?? 0) + 1);
  }
  return answer;
}

/** "3 images were not taken: it is not a DICOM image that can be read" */
export function failureWords(failed: ReadonlyMap<string, number>): string {
  return [...failed].map(([reason, count]) => `${count === 1 ? "1 file was" : `${count} files were`} not taken: ${reason}`).join("; ");
}
