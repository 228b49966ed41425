import type { DataSource } from "./ohif";

/** A slug is what our server made; anything else in an address is not looked at. */
const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;

export function isSlug(slug: string): boolean {
  return SLUG.test(slug);
}

/** The organisation in the address of a viewer opened by a link: /viewer/viewer/<slug>?StudyInstanceUIDs=... */
export function slugIn(pathname: string): string | null {
  const found = /^\/viewer\/viewer\/([^/]+)\/?$/.exec(pathname)?.[1];
  return found && isSlug(found) ? found : null;
}

/** The DICOMweb root of one organisation. The server decides at each request whether this person may have what is asked. */
export function dataSource(slug: string): DataSource {
  const root = `/dicomweb/${slug}`;
  return {
    namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
    sourceName: slug,
    configuration: {
      friendlyName: slug,
      name: slug,
      qidoRoot: root,
      wadoRoot: root,
      imageRendering: "wadors",
      thumbnailRendering: "wadors",
      enableStudyLazyLoad: true,
      qidoSupportsIncludeField: false,
      supportsFuzzyMatching: false,
      supportsWildcard: false,
      supportsReject: false,
      supportsStow: false,
      dicomUploadEnabled: false,
      staticWado: false,
      // Frames and bulk data as multipart/related, PS3.18 8.7: our server speaks it for all of them.
      singlepart: "",
      omitQuotationForMultipartRequest: true,
      bulkDataURI: { enabled: true, relativeResolution: "studies" },
    },
  };
}

const NOT_IMAGES = new Set(["SR", "PR", "KO", "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "DOC", "OT"]);

/** How many series of a study have images (QIDO-RS, PS3.18 10.6); 1 when the archive doesn't say. */
export async function countSeries(slug: string, studyUid: string): Promise<number> {
  try {
    const answer = await fetch(`/dicomweb/${slug}/studies/${encodeURIComponent(studyUid)}/series`, { headers: { Accept: "application/dicom+json" }, credentials: "same-origin" });
    if (!answer.ok) return 1;
    const series = (await answer.json()) as Record<string, { Value?: unknown[] } | undefined>[];
    return Math.max(1, series.filter((one) => !NOT_IMAGES.has(String(one["00080060"]?.Value?.[0] ?? ""))).length);
  } catch {
    return 1;
  }
}
