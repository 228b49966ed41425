/** The little of DICOMweb (PS3.18) that pages ask for themselves: series of a study, and their thumbnails. The viewer asks for the rest. */
import { useQuery } from "@tanstack/react-query";
import { api, url } from "./client";

export interface SeriesBrief {
  uid: string;
  number: number | null;
  description: string;
  modality: string;
  instances: number;
}

type DicomJson = Record<string, { vr: string; Value?: unknown[] } | undefined>;

function first(data: DicomJson, tag: string): string {
  const value = data[tag]?.Value?.[0];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** QIDO-RS answers as briefs, by series number; series without pictures (reports, presentation states) last. */
export function seriesOf(answer: readonly DicomJson[]): SeriesBrief[] {
  return answer
    .map((data) => {
      const number = Number.parseInt(first(data, "00200011"), 10);
      return {
        uid: first(data, "0020000E"),
        number: Number.isNaN(number) ? null : number,
        description: first(data, "0008103E"),
        modality: first(data, "00080060"),
        instances: Number.parseInt(first(data, "00201209"), 10) || 0,
      };
    })
    .filter((series) => series.uid && !["SR", "PR", "KO", "DOC", "SEG"].includes(series.modality))
    .sort((a, b) => (a.number ?? 9999) - (b.number ?? 9999));
}

/** Series of one study, asked once it is wanted. */
export function useSeries(slug: string | undefined, studyUid: string | undefined) {
  return useQuery({
    queryKey: ["series", slug, studyUid],
    queryFn: async ({ signal }) => seriesOf((await api.get<DicomJson[] | undefined>(url`/dicomweb/${slug ?? ""}/studies/${studyUid ?? ""}/series`, signal)) ?? []),
    enabled: Boolean(slug && studyUid),
    staleTime: 60_000,
    meta: { topics: ["study"] },
  });
}

export function thumbnailUrl(slug: string, studyUid: string, seriesUid?: string): string {
  const study = url`/dicomweb/${slug}/studies/${studyUid}`;
  return `${study}${seriesUid ? url`/series/${seriesUid}` : ""}/thumbnail?viewport=160,160`;
}
