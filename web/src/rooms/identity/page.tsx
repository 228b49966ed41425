import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { firstRoom, mayEnter, useSession } from "../../api/session";
import { Empty, ErrorState, Facts, Foot, LinkButton, Note, Page, Panel, patientName, plainDate, SkeletonRows, useKeys } from "../../kit";
import "../board/board.css";
import { type Asking, IdentityActions, IdentityDialogs, StepList, useIdentity, Whose } from "./IdentityPanel";
import { MATCH } from "./words";

/** Whose images a study is: compared, put right, and taken back. By ids alone; looking is recorded. */
export default function IdentityRoom() {
  const { studyId = "" } = useParams();
  const session = useSession();
  const navigate = useNavigate();
  const [asking, setAsking] = useState<Asking>(null);
  const found = useIdentity(studyId);
  const identity = found.data;
  const last = identity?.steps.find((step) => step.is_in_force);
  const place = identity ? { zone: identity.time_zone, label: identity.facility_name } : undefined;
  useKeys("Whose images", [
    { id: "identity.release", keys: ["r"], label: "Release it for matching", when: () => identity?.match_state === "held", run: () => setAsking({ what: "release" }) },
    { id: "identity.file", keys: ["f"], label: "File under another patient", when: () => identity !== undefined, run: () => setAsking({ what: "file" }) },
    { id: "identity.put", keys: ["p"], label: "Put right by hand", when: () => identity !== undefined, run: () => setAsking({ what: "put-right" }) },
    { id: "identity.off", keys: ["o"], label: "Take off the order", when: () => identity?.match_state === "matched", run: () => setAsking({ what: "take-off" }) },
    { id: "identity.back", keys: ["b"], label: "Take the last step back", when: () => last !== undefined && last.kind !== "merged", run: () => setAsking({ what: "take-back" }) },
    { id: "identity.leave", keys: ["Escape"], label: "Back", run: () => void navigate(-1) },
  ]);
  return (
    <Page title="Whose images" windowTitle="Whose images" crumb={session.rooms.includes("board") ? { label: "Command centre", to: "/board" } : { label: "Site", to: firstRoom(session) }} places={place ? [place] : undefined}>
      {identity && place ? (
        <div className="page">
          <div className="id-g">
            <Panel className="clip" title="Whom the images name" sub={`${identity.description ?? "study"}, ${identity.facility_name}; it ${MATCH[identity.match_state]}`} label="Whom the images name">
              <div className="id-b">
                <div className="idp">
                  {identity.match_state === "held" && <Note tone="amber">{identity.match_reason ?? "It is held until a person has looked."}</Note>}
                  <Whose identity={identity} onAsk={setAsking} />
                  <IdentityActions identity={identity} keys onAsk={setAsking} />
                  <Facts
                    facts={[
                      ["Study", `${identity.description ?? "no description"}, ${identity.modalities.join(", ")}${identity.study_date ? `, ${plainDate(identity.study_date)}` : ""}`],
                      ["Accession", identity.accession ?? "none"],
                      ["Answers", identity.orders.length === 0 ? "no order" : identity.orders.map((order) => [order.description, order.accession, order.patient && patientName(order.patient)].filter(Boolean).join(", ")).join("; ")],
                    ]}
                  />
                  {mayEnter(session, "hidden") && (
                    <div>
                      <LinkButton size="sm" look="quiet" to={`/hidden/${identity.study_id}`}>
                        Its images: hide or restore some
                      </LinkButton>
                    </div>
                  )}
                </div>
              </div>
            </Panel>
            <Panel className="clip" title="What was put right" count={identity.steps.length} label="What was put right">
              {identity.steps.length === 0 ? (
                <Empty title="It goes out as it came" icon="check">
                  Each step that changes what its images say on their way out stands here, with who made it and why, and can be taken back.
                </Empty>
              ) : (
                // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard
                <div className="scroll" tabIndex={0} role="region" aria-label="Steps">
                  <StepList identity={identity} place={place} onAsk={setAsking} />
                </div>
              )}
            </Panel>
          </div>
          <Foot keys={[{ keys: ["f"], label: "file under another" }, { keys: ["p"], label: "put right" }, { keys: ["b"], label: "take back" }, { keys: ["Escape"], label: "back" }, { keys: ["?"], label: "all keys" }]} />
        </div>
      ) : found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : (
        <SkeletonRows rows={10} />
      )}
      {identity && <IdentityDialogs identity={identity} asking={asking} onClose={() => setAsking(null)} />}
    </Page>
  );
}
