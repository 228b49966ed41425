import { Checkbox, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, ApiError, queryClient, url } from "../../api/client";
import type { MatchCandidate, StudyBrief } from "../../api/types";
import { Button, Chip, ConfirmDialog, Dialog, ErrorState, GarbledText, LinkButton, near, patientName, type Place, plainDate, PriorityMark, SkeletonRows, toast, UsualReasons, useNow } from "../../kit";
import { type Asking, IdentityActions, IdentityDialogs, StepList, useIdentity, Whose } from "../identity/IdentityPanel";
import { QuestionPanel } from "../questions/QuestionPanel";
import { imageCount } from "./words";

export interface MatchProps {
  studyId: string;
  site: Place;
  /** Why it found none by itself. */
  why: string | null;
  /** What the images say of themselves, where it is known here. */
  study?: StudyBrief;
  /** A person must look at its images before it is matched. */
  held?: boolean;
  mayReadNow?: boolean;
  onClose: () => void;
}

/** Where a study is held, a person looks first whose its images are: only then is it matched, by itself or by hand. */
function ReleaseDialog({ studyId, site, why, onClose }: Pick<MatchProps, "studyId" | "site" | "why" | "onClose">) {
  const [asking, setAsking] = useState<Asking>(null);
  const found = useIdentity(studyId);
  const identity = found.data;
  if (identity && asking) return <IdentityDialogs identity={identity} asking={asking} onClose={() => setAsking(null)} onReleased={onClose} />;
  return (
    <Dialog opened title="A held study" width={880} onClose={onClose}>
      <div className="idp">
        <p className="amber">{why ?? "It is held until a person has looked."}</p>
        {identity ? (
          <>
            <Whose identity={identity} onAsk={setAsking} />
            <IdentityActions identity={identity} onAsk={setAsking} />
            {identity.steps.length > 0 && <StepList identity={identity} place={site} onAsk={setAsking} />}
          </>
        ) : found.isError ? (
          <ErrorState error={found.error} retry={() => void found.refetch()} />
        ) : (
          <SkeletonRows rows={5} />
        )}
        <QuestionPanel subject="study" id={studyId} site={site} />
      </div>
    </Dialog>
  );
}

/** What a waiting study needs: a look if it is held, else its order. */
export function MatchDialog(props: MatchProps) {
  return props.held ? <ReleaseDialog studyId={props.studyId} site={props.site} why={props.why} onClose={props.onClose} /> : <OrderDialog {...props} />;
}

/** An order for a study that found none by itself: what agrees and what differs, side by side. A person decides, with a reason. */
function OrderDialog({ studyId, site, why, study, mayReadNow, onClose }: MatchProps) {
  const now = useNow();
  const zone = site.zone;
  const [chosen, setChosen] = useState<string | null>(null);
  const [reason, setReason] = useState("");
  // The server asks once more where the images carry another known patient's identity.
  const [otherPatient, setOtherPatient] = useState<"no" | "asked" | "confirmed">("no");
  const found = useQuery({
    queryKey: ["candidates", studyId],
    queryFn: ({ signal }) => api.get<MatchCandidate[]>(url`/api/studies/${studyId}/candidates`, signal),
    staleTime: 0,
  });
  const [busy, setBusy] = useState(false);
  const navigate = useNavigate();
  const candidates = found.data ?? [];
  const picked = candidates.find((candidate) => candidate.order.id === chosen);
  const match = async () => {
    try {
      await api.post(url`/api/studies/${studyId}/match`, { order_id: chosen, reason: reason.trim(), confirm_other_patient: otherPatient === "confirmed" });
    } catch (error) {
      if (error instanceof ApiError && error.code === "other-patient") setOtherPatient("asked");
      throw error;
    }
    toast({ tone: "done", text: "Matched. The case goes on by itself" });
    void queryClient.invalidateQueries({ predicate: (query) => query.meta?.topics?.includes("study") ?? false });
    onClose();
  };
  const readNow = async () => {
    setBusy(true);
    try {
      const made = await api.post<{ case_id: string }>(url`/api/studies/${studyId}/read-provisionally`, { priority: "STAT" });
      void queryClient.invalidateQueries({ queryKey: ["board"] });
      toast({ tone: "done", text: "Read now as provisional; the report is held until the study is matched" });
      onClose();
      void navigate(`/case/${made.case_id}`);
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "This was not done" });
    } finally {
      setBusy(false);
    }
  };
  return (
    <ConfirmDialog
      opened
      title="Match a study to its order"
      width={880}
      confirm={picked ? `Match to ${patientName(picked.patient)}` : "Match"}
      ready={chosen !== null && reason.trim().length > 2 && otherPatient !== "asked"}
      danger={(picked?.differences.length ?? 0) > 0}
      onClose={onClose}
      onConfirm={match}
    >
      {study && <div className="imgs">
        <div>
          <span className="l">The images say</span>
          <b>{study.dicom_patient.name ?? "no name"}</b> {study.charset_suspect && <GarbledText />}
        </div>
        <div>
          <span className="l">Born</span>
          <span className="num">{study.dicom_patient.birth_date ? plainDate(study.dicom_patient.birth_date) : "not said"}</span>
        </div>
        <div>
          <span className="l">Sex</span>
          {study.dicom_patient.sex ?? "–"}
        </div>
        <div>
          <span className="l">Identifier</span>
          <span className="num">{study.dicom_patient.id ?? "none"}</span>
        </div>
        <div>
          <span className="l">Accession</span>
          <span className="num">{study.accession ?? "none"}</span>
        </div>
        <div>
          <span className="l">Study</span>
          {study.description ?? study.modalities.join(", ")}, {imageCount(study.number_of_instances)}
        </div>
        <div>
          <span className="l">Came</span>
          <span className="num">
            {near(study.first_received_at, zone, now)} {site.label}
          </span>
        </div>
      </div>}
      <div className="row" style={{ margin: "8px 0 10px" }}>
        <p className="amber grow">{why ?? "No order fits"}</p>
        <LinkButton size="sm" to={`/identity/${studyId}`}>
          Whose images?
        </LinkButton>
        {mayReadNow && <Button size="sm" busy={busy} onClick={() => void readNow()} title="Urgent: it is read before it is matched. The report is held until then.">
          Read now as provisional
        </Button>}
      </div>
      {found.isPending ? (
        <SkeletonRows rows={4} />
      ) : found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : candidates.length === 0 ? (
        <p className="quiet-line bordered">
          No open order of {site.label} fits. The site can enter one by hand; an order by HL7 is tried by itself when it comes.
        </p>
      ) : (
        <div className="cands scroll" role="radiogroup" aria-label="Orders">
          {candidates.map((candidate) => (
            <Candidate key={candidate.order.id} candidate={candidate} zone={zone} now={now} chosen={chosen === candidate.order.id} onChoose={() => {
                setChosen(candidate.order.id);
                setOtherPatient("no");
              }} />
          ))}
        </div>
      )}
      <Textarea label="Reason, kept in the record" mt={12} value={reason} onChange={(event) => setReason(event.currentTarget.value)} maxLength={500} />
      {otherPatient !== "no" && (
        <Checkbox
          mt={10}
          label="The images carry another patient's identity, and I know that they are this one's. They are filed under the order's patient; the images stay as they are."
          checked={otherPatient === "confirmed"}
          onChange={(event) => setOtherPatient(event.currentTarget.checked ? "confirmed" : "asked")}
        />
      )}
      <UsualReasons reasons={["Site confirmed by phone", "Accession typed wrongly at the scanner", "Same patient, birth date mistyped"]} onTake={setReason} />
      <QuestionPanel subject="study" id={studyId} site={site} />
    </ConfirmDialog>
  );
}

function shown(value: string | null): string {
  if (!value) return "nothing";
  return /^\d{4}-\d{2}-\d{2}$/.test(value) ? plainDate(value) : value;
}

function Candidate({ candidate, zone, now, chosen, onChoose }: { candidate: MatchCandidate; zone: string; now: number; chosen: boolean; onChoose: () => void }) {
  const { order, patient, differences } = candidate;
  const identifier = patient.identifiers[0];
  return (
    <label className={`cand${chosen ? " on" : ""}`}>
      <input type="radio" name="order" className="tick rd" checked={chosen} onChange={onChoose} />
      <PriorityMark priority={order.priority} />
      <span className="grow">
        <span className="row">
          <b>{patientName(patient)}</b>
          <span className="q num">
            {patient.birth_date && plainDate(patient.birth_date)} · {patient.sex ?? "–"} · MRN {identifier?.value ?? "none"} · {order.accession ?? order.placer_number ?? "no accession"}
          </span>
        </span>
        <span className="q">
          {order.procedures.map((procedure) => procedure.description).join(" + ")}, ordered <span className="num">{near(order.ordered_at ?? order.received_at, zone, now)}</span>
          {order.source === "manual" && ", by hand"}
        </span>
        {differences.length > 0 && (
          <span className="diffs">
            {differences.map((difference) => (
              <span key={difference.field} className="diff">
                <span className="l">{difference.field.replaceAll("_", " ")}</span>
                <span>
                  <span className="q">order</span> <b className="num">{shown(difference.in_order)}</b>
                </span>
                <span>
                  <span className="q">images</span> <b className="amber num">{shown(difference.in_images)}</b>
                </span>
              </span>
            ))}
          </span>
        )}
      </span>
      {differences.length === 0 ? <Chip tone="outline">all agrees</Chip> : <Chip tone="amber">{differences.length === 1 ? "1 differs" : `${differences.length} differ`}</Chip>}
    </label>
  );
}

