import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { api, queryClient, url } from "../../api/client";
import { herePlace, useSession } from "../../api/session";
import type { CaseDetail, ListItem, ReadBrief, ReportCheck, Version, Workspace } from "../../api/types";
import { Button, Chip, Foot, Note, Page, PatientBanner, type Place, patientName, toast, useKeys, useScheme } from "../../kit";
import { allChecks, type CheckAction, pictureOf } from "./checks";
import { focusField } from "./Editor";
import { isEmpty } from "./Fields";
import { Left } from "./Left";
import { SiteNotices } from "./Notices";
import { ReportColumn } from "./ReportColumn";
import { type Refusal, SIGN_WORDS, type SignKind, signKinds } from "./sign";
import { ViewerTrouble } from "./States";
import { Toolbar } from "./Toolbar";
import { useDraft } from "./useDraft";
import { useSigning } from "./useSigning";
import { focusViewer, openStudy, send, setSlot, useViewer, viewerHasFocus } from "./viewer/store";
import { accessionOf, hasLateImages, identityOf, priorsToLoad } from "./words";

interface Props {
  workspace: Workspace;
  detail: CaseDetail;
  /** The case is not this reader's to see any more. */
  lost: boolean;
  onReopen: () => void;
}

export function Room({ workspace, detail, lost, onReopen }: Props) {
  const session = useSession();
  const navigate = useNavigate();
  const here = herePlace(session);
  const site: Place = { zone: detail.facility.time_zone, label: detail.facility.name };
  const readId = workspace.read.id;
  const viewer = useViewer();
  const draft = useDraft(readId, session.user.id, workspace.draft);
  const [signed, setSigned] = useState<Version | null>(null);
  const [versions, setVersions] = useState(workspace.previous_versions);
  const [priors, setPriors] = useState(() => priorsToLoad(detail, workspace.viewer.prior_uids));
  const studies = workspace.viewer.study_instance_uids;
  const study = useMemo(() => ({ slug: workspace.viewer.organization_slug, studies, priors, examClass: detail.exam_class }), [workspace.viewer.organization_slug, studies, priors, detail.exam_class]);
  useOpened(study);
  useLeaving(readId, draft.keeper, signed !== null);
  useTaken(lost, detail.reads.find((read) => read.id === readId), session.reader?.id, draft.keeper, signed !== null);
  const theme = useScheme();
  useEffect(() => send({ kind: "theme", theme }), [theme, viewer.ready]);

  const locked = signed !== null || draft.status.state === "taken" || draft.status.state === "moved-on";
  const checks = useQuery({
    queryKey: ["checks", readId, draft.status.revision],
    queryFn: ({ signal }) => api.get<ReportCheck[]>(url`/api/reads/${readId}/checks`, signal),
    enabled: signed === null && draft.status.state !== "taken",
    placeholderData: (before) => before,
    meta: { topics: ["study"] },
  });
  const allowedPriors = [...workspace.viewer.prior_uids, ...detail.priors.map((prior) => prior.study_instance_uid)];
  const picture = useSteady(pictureOf(viewer.shown, studies, allowedPriors), 1200);
  const shownChecks = allChecks(checks.data ?? [], workspace.read.kind === "addendum" ? [] : viewer.series, picture);
  const stop = shownChecks.find((check) => check.level === "stop");
  const kinds = signKinds(workspace.read, versions.length);
  const next = useQuery({ queryKey: ["next"], queryFn: ({ signal }) => api.get<ListItem | null>("/api/next", signal), meta: { topics: ["case", "shift"] } });
  const following = next.data && next.data.read_id !== readId ? next.data : null;

  const act = (action: CheckAction) => {
    if (action.kind === "go") focusField(action.field);
    else if (action.kind === "series") send({ kind: "series", uid: action.uid });
    else openStudy(study, true);
  };
  const onSigned = (version: Version, kind: SignKind) => {
    toast({ tone: "done", text: detail.is_provisional ? "Signed, and held until the study is matched to its order" : SIGN_WORDS[kind].done });
    void queryClient.invalidateQueries({ queryKey: ["my-list"] });
    void queryClient.invalidateQueries({ queryKey: ["case", detail.id] });
    if (kind === "preliminary" && workspace.read.kind !== "preliminary") {
      draft.keeper.advance(draft.status.revision + 1);
      setVersions((before) => [...before, version]);
      return;
    }
    draft.keeper.end();
    setSigned(version);
    void next.refetch();
  };
  const onRefused = (refusal: Refusal) => {
    if (refusal.kind === "incomplete") {
      void checks.refetch();
      const first = refusal.problems[0];
      if (first?.field) focusField(first.field);
      toast({ tone: "warn", text: `Not signed. ${first?.text ?? "Something is missing."}` });
    } else if (refusal.kind === "offline") toast({ tone: "warn", text: "Not signed: no line to the server. Your text is kept; sign when the line is back." });
    else if (refusal.kind === "moved-on") toast({ tone: "warn", text: "Not signed: this report was opened in another window." });
    else if (refusal.kind === "not-yours" || refusal.kind === "other") toast({ tone: "warn", text: `Not signed. ${refusal.text}` });
  };
  const signing = useSigning(readId, draft.keeper, onSigned, onRefused);
  const sign = async (kind: SignKind) => {
    if (locked || signing.busy) return;
    if (picture === "wrong") {
      toast({ tone: "warn", text: "Not signed: the images on the screen are not of this report's patient and exam." });
      return;
    }
    await draft.keeper.saveNow();
    if (draft.keeper.getStatus().state === "offline") return onRefused({ kind: "offline" });
    const first = ((await checks.refetch()).data ?? []).find((check) => check.level === "stop");
    if (first) {
      if (first.field) focusField(first.field);
      toast({ tone: "warn", text: `Not signed. ${first.text}` });
      return;
    }
    await signing.start(kind);
  };
  const openNext = () => {
    if (following) void navigate(`/read/${following.read_id}`);
    else void navigate("/list");
  };
  const fillNormal = () => {
    for (const field of workspace.report.template.fields) if (isEmpty(draft.content.fields[field.id]) && !isEmpty(field.normal)) draft.keeper.setField(field.id, field.normal ?? null);
  };
  const lastCheck = useRef(-1);
  const nextCheck = () => {
    const withAction = shownChecks.flatMap((check) => check.action ?? []);
    if (withAction.length === 0) return;
    lastCheck.current = (lastCheck.current + 1) % withAction.length;
    const action = withAction[lastCheck.current];
    if (action) act(action);
  };
  useKeys("Reading", [
    { id: "read.sign", keys: ["Ctrl+Enter"], label: SIGN_WORDS[kinds.main].button, inFields: true, when: () => !locked, run: () => void sign(kinds.main) },
    { id: "read.preliminary", keys: ["Ctrl+Shift+Enter"], label: "Sign preliminary", inFields: true, when: () => !locked && kinds.preliminary, run: () => void sign("preliminary") },
    { id: "read.next", keys: ["n", "Enter"], label: "Next case", when: () => signed !== null, run: openNext },
    { id: "read.check", keys: ["F8"], label: "Next check", inFields: true, run: nextCheck },
    { id: "read.normal", keys: ["Alt+n"], label: "What is still open is normal", inFields: true, when: () => !locked, run: fillNormal },
    {
      id: "read.switch",
      keys: ["Escape"],
      label: "Images and report",
      inFields: true,
      run: () => {
        if (viewerHasFocus() || document.activeElement === document.body) focusField(workspace.read.kind === "addendum" ? "addendum" : "findings");
        else focusViewer();
      },
    },
    ...viewer.measurements.slice(0, 9).map((measurement, index) => ({ id: `read.measurement.${index + 1}`, keys: [`Ctrl+${index + 1}`], label: `To measurement ${index + 1}`, inFields: true, run: () => send({ kind: "measurement", uid: measurement.uid }) })),
  ]);

  const identity = identityOf(detail);
  const accession = accessionOf(detail);
  const late = hasLateImages(detail, detail.reads.find((read) => read.id === readId)?.opened_at ?? null) || (checks.data ?? []).some((check) => check.id === "new-images");
  const address = `/viewer/viewer/${study.slug}?${new URLSearchParams({ StudyInstanceUIDs: studies.join(",") }).toString()}`;
  const showPrior = (uid: string) => {
    if (!priors.includes(uid)) return setPriors([uid, ...priors].slice(0, 3));
    const best = viewer.series.filter((one) => one.studyUid === uid).sort((a, b) => b.slices - a.slices)[0];
    if (best) send({ kind: "series", uid: best.uid });
  };

  return (
    <Page title={detail.exam} crumb={{ label: "My list", to: "/list" }} windowTitle={detail.exam} chip={chipOf(detail, signed)} places={here.zone === site.zone ? [here] : [{ zone: site.zone, label: detail.facility.short_name }, here]}>
      <div className="ws">
        <div className="ws-top">
          <PatientBanner
            patient={identity}
            accession={accession}
            exam={detail.exam}
            site={site}
            here={here}
            priority={detail.priority}
            promise={{ minutes: detail.promise_minutes, start: detail.clock_started_at, due: detail.due_at, stopped: signed?.signed_at }}
          />
          {picture === "wrong" && (
            <div className="loud" role="alert">
              <b>These images are not of {patientName(identity)}&rsquo;s exam.</b> Nothing can be signed while they are shown.
              <Button look="danger-solid" size="sm" onClick={() => openStudy(study, true)}>
                Show the right study
              </Button>
            </div>
          )}
          {picture === "only-priors" && signed === null && (
            <Strip tone="amber">Only priors are on the screen.</Strip>
          )}
          {late && signed === null && (
            <Strip tone="amber" action={<Button size="sm" onClick={() => openStudy(study, true)}>Show them</Button>}>
              New images came after you opened this case.
            </Strip>
          )}
          {signed === null && <SiteNotices detail={detail} opened={workspace.case.priority} zone={here.zone} />}
          {detail.is_provisional && <Strip tone="amber">The order is not matched yet: what you sign is held until it is.</Strip>}
          {detail.state === "cancelled" && <Strip tone="red">This order was cancelled by the site.</Strip>}
        </div>
        <Left detail={detail} viewer={workspace.viewer} loadedPriors={priors} onPrior={showPrior} />
        <section className="mid" aria-label="Images">
          <Toolbar hasPrior={priors.length > 0} />
          <div className="slot" ref={setSlot}>
            {!viewer.firstImage && viewer.error === null && <span className="sm">{viewer.ready ? "Images are coming" : "The viewer is starting"}</span>}
          </div>
          <ViewerTrouble address={address} />
        </section>
        <ReportColumn
          workspace={{ ...workspace, previous_versions: versions }}
          identity={identity}
          accession={accession}
          zone={site.zone}
          signer={session.user.display_name}
          draft={draft}
          locked={locked}
          signed={signed}
          checks={shownChecks}
          checking={checks.isFetching}
          stopped={stop !== undefined}
          kinds={kinds}
          signing={signing}
          following={following}
          measurements={viewer.measurements}
          onSign={(kind) => void sign(kind)}
          onAct={act}
          onNext={openNext}
          onReopen={onReopen}
        />
        <Foot
          keys={
            signed
              ? [
                  { keys: ["n"], label: "next case" },
                  { keys: ["g l"], label: "my list" },
                  { keys: ["?"], label: "all keys" },
                ]
              : [
                  { keys: ["Escape"], label: "images and report" },
                  { keys: ["Alt+ArrowDown"], label: "series" },
                  { keys: ["1"], label: "windows" },
                  { keys: ["F8"], label: "next check" },
                  { keys: ["Alt+n"], label: "rest normal" },
                  { keys: ["?"], label: "all keys" },
                ]
          }
        >
          {following && <span className="cut">Next: {following.patient ? patientName(following.patient) : "unmatched"}, {following.exam}</span>}
        </Foot>
      </div>
    </Page>
  );
}

function Strip({ tone, children, action }: { tone: "amber" | "red"; children: React.ReactNode; action?: React.ReactNode }) {
  return (
    <div className="strip">
      <Note tone={tone} role="status" action={action}>
        {children}
      </Note>
    </div>
  );
}

function chipOf(detail: CaseDetail, signed: Version | null) {
  if (signed) return <Chip tone="green">Signed</Chip>;
  return detail.is_arriving ? <Chip tone="amber">Images still coming in</Chip> : null;
}

/** The living viewer gets this study, and the page's place for as long as the page lives. */
function useOpened(study: Parameters<typeof openStudy>[0]): void {
  useEffect(() => openStudy(study), [study]);
  useEffect(() => () => setSlot(null), []);
}

/** Leaving: the last words are sent, then the report is free for others. */
function useLeaving(readId: string, keeper: ReturnType<typeof useDraft>["keeper"], done: boolean): void {
  const signed = useRef(done);
  useEffect(() => {
    signed.current = done;
  }, [done]);
  useEffect(() => {
    keeper.live();
    const release = () => {
      if (!signed.current) void api.post(url`/api/reads/${readId}/release`, {}, { keepalive: true }).catch(() => undefined);
    };
    window.addEventListener("pagehide", release);
    return () => {
      window.removeEventListener("pagehide", release);
      if (!signed.current) void keeper.close().then(release);
    };
  }, [readId, keeper]);
}

/** A coordinator gave the read to another: said at once, not at the next save. */
function useTaken(lost: boolean, read: ReadBrief | undefined, me: string | undefined, keeper: ReturnType<typeof useDraft>["keeper"], done: boolean): void {
  const holder = read?.reader;
  const gone = !done && (lost || (read !== undefined && read.state !== "done" && holder?.id !== me));
  const name = lost ? undefined : holder?.name;
  useEffect(() => {
    if (gone) keeper.taken(name ? `This case was given to ${name}.` : "A coordinator gave this case to another reader.");
  }, [gone, name, keeper]);
}

/** A value once it has stood for a while: a study in the middle of a change is no alarm. */
function useSteady<T>(value: T, after: number): T {
  const [steady, setSteady] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSteady(value), after);
    return () => clearTimeout(timer);
  }, [value, after]);
  return steady;
}
