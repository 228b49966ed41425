import { linker } from "./link";
import type { CornerstoneViewport, DisplaySet, Measurement, Services } from "./ohif";
import { presetsFor } from "./presets";
import type { FromViewer, ViewerMeasurement, ViewerSeries } from "./protocol";

/** What the page must know of the open studies: series and how much of each was shown, viewports, measurements. */
export interface Watcher {
  begin: (priors: readonly string[], examClass: string | null) => void;
  isPrior: (studyUid: string) => boolean;
  seriesNow: () => ViewerSeries[];
  link: (on: boolean) => void;
}

const NOT_IMAGES = new Set(["SR", "PR", "KO", "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "DOC"]);

function gathered(call: () => void, wait: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      call();
    }, wait);
  };
}

export function watch(services: Services, say: (message: FromViewer) => void): Watcher {
  const { displaySetService, viewportGridService, measurementService, cornerstoneViewportService } = services;
  let priors = new Set<string>();
  let examClass: string | null = null;
  let first = true;
  const links = linker(services);
  /** Series UID -> indexes shown. */
  const seen = new Map<string, Set<number>>();

  const seriesNow = (): ViewerSeries[] => {
    const found = new Map<string, ViewerSeries>();
    for (const set of displaySetService.activeDisplaySets) {
      if (set.unsupported || NOT_IMAGES.has(set.Modality ?? "")) continue;
      const slices = set.numImageFrames ?? 0;
      const known = found.get(set.SeriesInstanceUID);
      if (known) known.slices += slices;
      else {
        found.set(set.SeriesInstanceUID, {
          uid: set.SeriesInstanceUID,
          studyUid: set.StudyInstanceUID,
          number: set.SeriesNumber === undefined ? null : Number(set.SeriesNumber),
          description: set.SeriesDescription ?? "",
          modality: set.Modality ?? "",
          slices,
          seen: seen.get(set.SeriesInstanceUID)?.size ?? 0,
          prior: priors.has(set.StudyInstanceUID),
        });
      }
    }
    return [...found.values()].sort((a, b) => Number(a.prior) - Number(b.prior) || (a.number ?? 9999) - (b.number ?? 9999));
  };

  const shownSet = (viewportId: string): DisplaySet | undefined => {
    const uid = viewportGridService.getState().viewports.get(viewportId)?.displaySetInstanceUIDs[0];
    return uid ? displaySetService.getDisplaySetByUID(uid) : undefined;
  };

  const markPanes = () => {
    const { viewports, activeViewportId } = viewportGridService.getState();
    for (const id of viewports.keys()) {
      const pane = document.querySelector(`[data-viewportid="${CSS.escape(id)}"]`)?.closest("[data-cy='viewport-pane']");
      const set = shownSet(id);
      pane?.classList.toggle("hg-prior", set !== undefined && priors.has(set.StudyInstanceUID));
      pane?.classList.toggle("hg-active", id === activeViewportId);
    }
  };

  const saySeries = gathered(() => say({ kind: "series", series: seriesNow() }), 120);
  const sayShown = gathered(() => {
    const { viewports, activeViewportId } = viewportGridService.getState();
    const sets = [...viewports.keys()].map((id) => shownSet(id)).filter((set) => set !== undefined);
    const active = activeViewportId ? shownSet(activeViewportId) : undefined;
    say({
      kind: "shown",
      studies: [...new Set(sets.map((set) => set.StudyInstanceUID))],
      series: sets.map((set) => set.SeriesInstanceUID),
      active: active?.SeriesInstanceUID ?? null,
      presets: presetsFor(active?.Modality ?? "", examClass),
    });
    markPanes();
  }, 60);

  const note = (viewport: CornerstoneViewport | null, viewportId: string) => {
    const set = shownSet(viewportId);
    const index = viewport?.getCurrentImageIdIndex?.();
    if (!set || index === undefined) return;
    let indexes = seen.get(set.SeriesInstanceUID);
    if (!indexes) seen.set(set.SeriesInstanceUID, (indexes = new Set()));
    if (indexes.has(index)) return;
    indexes.add(index);
    saySeries();
    if (first) {
      first = false;
      say({ kind: "first-image", studyUid: set.StudyInstanceUID });
    }
  };

  const text = (measurement: Measurement): string => {
    const shown = Array.isArray(measurement.displayText) ? measurement.displayText : measurement.displayText?.primary;
    return (shown ?? []).join(", ");
  };
  const sayMeasurements = gathered(() => {
    const all = measurementService.getMeasurements().map(
      (one): ViewerMeasurement => ({
        uid: one.uid,
        text: text(one),
        tool: one.toolName ?? "",
        label: one.label ?? "",
        seriesUid: one.referenceSeriesUID ?? "",
        slice: one.frameNumber ?? null,
      }),
    );
    say({ kind: "measurements", measurements: all });
  }, 150);

  for (const name of ["DISPLAY_SETS_ADDED", "DISPLAY_SETS_REMOVED", "DISPLAY_SETS_CHANGED", "DISPLAY_SET_SERIES_METADATA_INVALIDATED"]) {
    const event = displaySetService.EVENTS[name];
    if (event) displaySetService.subscribe(event, saySeries);
  }
  for (const name of ["GRID_STATE_CHANGED", "ACTIVE_VIEWPORT_ID_CHANGED", "LAYOUT_CHANGED", "VIEWPORTS_READY"]) {
    const event = viewportGridService.EVENTS[name];
    if (event) viewportGridService.subscribe(event, sayShown);
  }
  for (const name of ["MEASUREMENT_ADDED", "MEASUREMENT_UPDATED", "RAW_MEASUREMENT_ADDED", "MEASUREMENT_REMOVED", "MEASUREMENTS_CLEARED"]) {
    const event = measurementService.EVENTS[name];
    if (event) measurementService.subscribe(event, sayMeasurements);
  }

  const cornerstone = window.cornerstone;
  const events = cornerstone?.Enums.Events;
  if (cornerstone && events) {
    const listening = new WeakSet<EventTarget>();
    cornerstone.eventTarget.addEventListener(events.ELEMENT_ENABLED ?? "", (event) => {
      const { element, viewportId } = (event as CustomEvent<{ element: HTMLElement; viewportId: string }>).detail;
      sayShown();
      if (listening.has(element)) return;
      listening.add(element);
      // Counted once it is on the screen, not when it was merely asked for.
      element.addEventListener(events.STACK_NEW_IMAGE ?? "", () => links.moved(viewportId));
      element.addEventListener(events.IMAGE_RENDERED ?? "", () => note(cornerstoneViewportService.getCornerstoneViewport(viewportId), viewportId));
    });
    cornerstone.eventTarget.addEventListener(events.IMAGE_LOAD_ERROR ?? "IMAGE_LOAD_ERROR", (event) => {
      const detail = (event as CustomEvent<{ error?: { status?: number; message?: string } }>).detail;
      const status = detail.error?.status;
      say(
        status
          ? { kind: "error", what: "server", text: `The archive answered ${status} for an image.` }
          : { kind: "error", what: "decode", text: "An image could not be drawn." },
      );
    });
  }

  return {
    begin: (nextPriors, nextClass) => {
      priors = new Set(nextPriors);
      examClass = nextClass;
      first = true;
      links.begin();
    },
    isPrior: (studyUid) => priors.has(studyUid),
    seriesNow,
    link: links.set,
  };
}
