/**
 * Our extension of OHIF, loaded at run time before it starts: sets its configuration, hangs images by exam, and speaks with the
 * page that holds the report. It holds no data of its own; every study is asked from /dicomweb/<organisation> with the session.
 */
import { hangingProtocols, placesFor, protocolFor } from "./hanging";
import { keyReader } from "./keys";
import { dress, overlays } from "./look";
import type { Managers } from "./ohif";
import { presetsFor } from "./presets";
import { type ForwardedKey, type FromViewer, type OpenStudy, post, received, type ToViewer } from "./protocol";
import { countSeries, dataSource, isSlug, slugIn } from "./source";
import { mendVoi } from "./voi";
import { watch } from "./watch";

const parent = window.parent === window ? null : window.parent;

function say(message: FromViewer): void {
  if (parent) post(parent, message);
}

function hasWebGl(): boolean {
  try {
    return document.createElement("canvas").getContext("webgl2") !== null;
  } catch {
    return false;
  }
}

function begin({ servicesManager, commandsManager, extensionManager }: Managers): void {
  const services = servicesManager.services;
  const watcher = watch(services, say);
  if (window.cornerstone) mendVoi(window.cornerstone.metaData);
  watcher.begin(linkedPriors(), null);
  services.customizationService.setCustomizations(
    {
      ...overlays(watcher.isPrior),
      "ohif.hotkeyBindings": { $set: [] },
      "ohif.tours": { $set: [] },
      // Until a study is asked for, and for any address that isn't one, the frame stays black.
      "routes.customRoutes": { routes: [], notFoundRoute: { path: "*", children: () => null } },
    },
    "global",
  );
  const run = (name: string, options: Record<string, unknown> = {}) => commandsManager.runCommand(name, options, "CORNERSTONE") ?? commandsManager.runCommand(name, options);
  let examClass: string | null = null;
  let turns = 0;

  const state = () => services.viewportGridService.getState();
  const activeSet = () => {
    const { activeViewportId, viewports } = state();
    const uid = activeViewportId ? viewports.get(activeViewportId)?.displaySetInstanceUIDs[0] : undefined;
    return uid ? services.displaySetService.getDisplaySetByUID(uid) : undefined;
  };
  const open = async (wanted: OpenStudy) => {
    if (!isSlug(wanted.slug)) return;
    examClass = wanted.examClass;
    const turn = ++turns;
    watcher.begin(wanted.priors, wanted.examClass);
    extensionManager.addDataSource(dataSource(wanted.slug));
    extensionManager.setActiveDataSource(wanted.slug);
    const withPrior = wanted.priors.length > 0;
    const series = !withPrior && placesFor(wanted.examClass) > 1 ? await countSeries(wanted.slug, wanted.studies[0] ?? "") : 1;
    // Another study was asked for meanwhile: this one must not overtake it.
    if (turn !== turns) return;
    const query = new URLSearchParams({ hangingprotocolId: protocolFor(wanted.examClass, withPrior, series) });
    query.set("StudyInstanceUIDs", [...wanted.studies, ...wanted.priors].join(","));
    // Without a reload: programs, workers and decoded images of the living viewer stay. A source that was added later has no route
    // of its own, so this is the route of the active one.
    commandsManager.runCommand("navigateHistory", { to: `/viewer?${query.toString()}`, options: { replace: true } });
  };
  const showSeries = (uid: string) => {
    const set = services.displaySetService.activeDisplaySets.find((one) => one.SeriesInstanceUID === uid);
    const { activeViewportId, viewports } = state();
    if (!set) return;
    // A prior goes where a prior hangs already, so that it doesn't push this exam aside.
    const isPrior = watcher.isPrior(set.StudyInstanceUID);
    const fitting = [...viewports.values()].find((place) => {
      const shown = place.displaySetInstanceUIDs[0];
      const other = shown ? services.displaySetService.getDisplaySetByUID(shown) : undefined;
      return other !== undefined && watcher.isPrior(other.StudyInstanceUID) === isPrior;
    });
    const active = activeSet();
    const viewportId = active && watcher.isPrior(active.StudyInstanceUID) === isPrior ? activeViewportId : (fitting?.viewportId ?? activeViewportId);
    if (viewportId) services.viewportGridService.setDisplaySetsForViewport({ viewportId, displaySetInstanceUIDs: [set.displaySetInstanceUID] });
  };
  const stepSeries = (by: 1 | -1) => {
    const now = activeSet();
    const prior = now !== undefined && watcher.isPrior(now.StudyInstanceUID);
    const all = watcher.seriesNow().filter((one) => one.prior === prior);
    const at = all.findIndex((one) => one.uid === now?.SeriesInstanceUID);
    const next = all[(at + by + all.length) % all.length];
    if (next) showSeries(next.uid);
  };
  const tool = (name: string) => {
    run("setToolActiveToolbar", { toolName: name, toolGroupIds: [] });
    say({ kind: "tool", name });
  };
  const preset = (width: number, level: number) => run("setWindowLevel", { windowWidth: width, windowCenter: level });
  /** Plays the frames of the active viewport, or stops them; OHIF's own command only shows its player, or hides it. */
  const cine = () => {
    const { activeViewportId: id } = state();
    if (!id) return;
    const { isCineEnabled, cines } = services.cineService.getState();
    services.cineService.setIsCineEnabled(true);
    services.cineService.setCine({ id, isPlaying: !(isCineEnabled && cines[id]?.isPlaying) });
  };
  const command = (name: string) => (name === "toggleCine" ? cine() : run(name === "removeSelected" ? "deleteActiveAnnotation" : name));
  const layout = (wanted: "one" | "two" | "four" | "mpr") => {
    if (wanted === "mpr") commandsManager.runCommand("toggleHangingProtocol", { protocolId: "mpr" });
    else commandsManager.runCommand("setViewportGridLayout", { numRows: wanted === "four" ? 2 : 1, numCols: wanted === "one" ? 1 : 2 });
  };

  const obey = (message: ToViewer) => {
    switch (message.kind) {
      case "open":
        return void open(message);
      case "close":
        return void commandsManager.runCommand("navigateHistory", { to: "/idle", options: { replace: true } });
      case "series":
        return showSeries(message.uid);
      case "step-series":
        return stepSeries(message.by);
      case "measurement":
        return void commandsManager.runCommand("jumpToMeasurement", { uid: message.uid });
      case "preset":
        return void preset(message.width, message.level);
      case "tool":
        return tool(message.name);
      case "command":
        return void command(message.name);
      case "layout":
        return layout(message.layout);
      case "link":
        return watcher.link(message.on);
      case "theme":
        document.documentElement.dataset.theme = message.theme;
        return;
      case "focus":
        window.focus();
        return;
    }
  };
  window.addEventListener("message", (event: MessageEvent<unknown>) => {
    const message = received<ToViewer>(event, parent);
    if (message) obey(message);
  });

  const read = keyReader();
  window.addEventListener(
    "keydown",
    (event) => {
      const target = event.target;
      const typing = target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
      const key: ForwardedKey = { key: event.key, code: event.code, ctrlKey: event.ctrlKey, altKey: event.altKey, shiftKey: event.shiftKey, metaKey: event.metaKey };
      const fate = read(key, typing);
      if (fate.kind === "leave") return;
      // A browser's own keys (reload, full screen) stay the browser's.
      const browsers = (event.ctrlKey || event.metaKey) && ["r", "c", "v", "x", "f", "t", "w", "p"].includes(event.key.toLowerCase());
      if (!browsers && !/^F(5|11|12)$/.test(event.key)) event.preventDefault();
      event.stopPropagation();
      if (fate.kind === "forward") say({ kind: "key", key });
      else if (fate.kind === "tool") tool(fate.name);
      else if (fate.kind === "command") command(fate.name);
      else if (fate.kind === "scroll") run("scroll", { direction: fate.by });
      else {
        const wanted = presetsFor(activeSet()?.Modality ?? "", examClass)[fate.index];
        if (wanted) preset(wanted.width, wanted.level);
      }
    },
    { capture: true },
  );
  window.addEventListener("pointerdown", () => say({ kind: "activity" }), { capture: true, passive: true });

  // A study that is not there (or not for this person) sends the viewer to its own page; the reader must be told on ours.
  const places = new MutationObserver(() => {
    if (/\/notfoundstudy$/.test(location.pathname)) say({ kind: "error", what: "study-not-found", text: "The archive does not have this study, or you may not see it." });
  });
  places.observe(document.body, { childList: true, subtree: true });

  const webgl = hasWebGl();
  if (!webgl) say({ kind: "error", what: "webgl", text: "This browser can't draw with WebGL." });
  // Routes stand a moment after the extensions: wait until a navigation can be obeyed.
  const standing = setInterval(() => {
    if (document.querySelector("#root")?.childElementCount) {
      clearInterval(standing);
      say({ kind: "ready", webgl });
    }
  }, 30);
}

const slug = slugIn(location.pathname);

/** Priors named by a link: with a protocol for priors, what comes after the first study is one. */
function linkedPriors(): string[] {
  const query = new URLSearchParams(location.search);
  return query.get("hangingprotocolId")?.endsWith("-prior") ? (query.get("StudyInstanceUIDs") ?? "").split(",").slice(1) : [];
}

dress();
window.config = {
  routerBasename: "/viewer",
  extensions: [
    {
      id: "heliograph",
      preRegistration: begin,
      getHangingProtocolModule: hangingProtocols,
    },
  ],
  modes: [],
  modesConfiguration: {
    "@ohif/mode-longitudinal": {
      // The page around the viewer has the series, the measurements and the tools.
      toolbarSections: { $set: [{ primary: [], "viewportActionMenu.topRight": ["modalityLoadBadge", "navigationComponent"], "viewportActionMenu.bottomMiddle": ["AdvancedRenderingControls"], AdvancedRenderingControls: ["opacityMenu", "thresholdMenu"] }] },
      routes: { 0: { layoutInstance: { props: { leftPanels: { $set: [] }, rightPanels: { $set: [] } } } } },
    },
  },
  showStudyList: false,
  showPatientInfo: "disabled",
  showLoadingIndicator: true,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  showErrorDetails: "never",
  measurementTrackingMode: "none",
  investigationalUseDialog: { option: "never" },
  disableConfirmationPrompts: true,
  strictZSpacingForVolumeViewport: true,
  // OHIF itself only writes refusals to the console.
  httpErrorHandler: ({ status, request }: { status?: number; request?: { status?: number } }) => {
    const answered = status ?? request?.status ?? 0;
    if (answered === 403 || answered === 404) say({ kind: "error", what: "study-not-found", text: "The archive does not have this study, or you may not see it." });
    else if (answered !== 0) say({ kind: "error", what: "server", text: `The archive answered ${answered}.` });
  },
  maxNumberOfWebWorkers: Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 2) - 1)),
  maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 12 },
  studyPrefetcher: { enabled: true, displaySetsCount: 3, maxNumPrefetchRequests: 6, order: "closest" },
  dataSources: [dataSource(slug ?? "none")],
  defaultDataSourceName: slug ?? "none",
  hotkeys: [],
};
