/** The little of OHIF 3.13 that we call, as it behaves; OHIF ships no types for a run-time extension. */

export interface DisplaySet {
  displaySetInstanceUID: string;
  StudyInstanceUID: string;
  SeriesInstanceUID: string;
  SeriesNumber?: number | string;
  SeriesDescription?: string;
  Modality?: string;
  numImageFrames?: number;
  unsupported?: boolean;
  instances?: Record<string, unknown>[];
  instance?: Record<string, unknown>;
}

export interface Measurement {
  uid: string;
  toolName?: string;
  label?: string;
  referenceSeriesUID?: string;
  frameNumber?: number;
  displayText?: { primary?: string[]; secondary?: string[] } | string[];
  referencedImageId?: string;
}

export interface GridViewport {
  viewportId: string;
  displaySetInstanceUIDs: string[];
}

export interface Subscription {
  unsubscribe: () => void;
}

interface PubSub {
  EVENTS: Record<string, string>;
  subscribe: (event: string, listener: (data: never) => void) => Subscription;
}

export interface CornerstoneViewport {
  element?: HTMLElement;
  getCurrentImageIdIndex?: () => number;
  getCurrentImageId?: () => string | undefined;
  getImageIds?: () => string[];
  setImageIdIndex?: (index: number) => Promise<unknown>;
  getSliceIndex?: () => number;
  getNumberOfSlices?: () => number;
}

export interface Services {
  displaySetService: PubSub & { activeDisplaySets: DisplaySet[]; getDisplaySetByUID: (uid: string) => DisplaySet | undefined };
  viewportGridService: PubSub & {
    getState: () => { activeViewportId: string | null; viewports: Map<string, GridViewport> };
    setDisplaySetsForViewport: (viewport: { viewportId: string; displaySetInstanceUIDs: string[] }) => void;
  };
  measurementService: PubSub & { getMeasurements: () => Measurement[] };
  cornerstoneViewportService: PubSub & { getCornerstoneViewport: (id: string) => CornerstoneViewport | null };
  customizationService: { setCustomizations: (customizations: Record<string, unknown>, scope?: "default" | "mode" | "global") => void };
  cineService: {
    getState: () => { isCineEnabled: boolean; cines: Record<string, { isPlaying?: boolean } | undefined> };
    setIsCineEnabled: (enabled: boolean) => void;
    setCine: (cine: { id: string; isPlaying: boolean }) => void;
  };
  uiNotificationService?: { show: (options: { title: string; message: string; type: string }) => void };
}

export interface Managers {
  servicesManager: { services: Services };
  commandsManager: { runCommand: (name: string, options?: Record<string, unknown>, context?: string) => unknown };
  extensionManager: { addDataSource: (definition: DataSource) => void; setActiveDataSource: (name: string) => void };
}

export interface DataSource {
  namespace: string;
  sourceName: string;
  configuration: Record<string, unknown>;
}

export interface Cornerstone {
  eventTarget: EventTarget;
  metaData: {
    get: (type: string, imageId: string) => unknown;
    addProvider: (provider: (type: string, imageId: string) => unknown, priority?: number) => void;
  };
  Enums: { Events: Record<string, string> };
}

declare global {
  interface Window {
    config: Record<string, unknown>;
    cornerstone?: Cornerstone;
  }
}
