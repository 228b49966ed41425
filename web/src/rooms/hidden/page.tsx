import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api } from "../../api/client";
import { herePlace, useSession } from "../../api/session";
import type { HiddenLine } from "../../api/types";
import { type Column, DataTable, dayClock, Empty, ErrorState, Foot, MINUTE, near, Page, Panel, plainDate, SkeletonRows, StateDot, useKeys, useNow, useTable } from "../../kit";
import { StudyPanel } from "./StudyPanel";
import "./hidden.css";
import { hiddenBy, kindWords } from "./words";

/** Images that a note or a person has hidden: what, why, who, when; and any study's images, to hide or to restore. */
export default function HiddenPage() {
  const session = useSession();
  const navigate = useNavigate();
  const { studyId } = useParams();
  const now = useNow(MINUTE);
  const here = herePlace(session);
  const found = useQuery({
    queryKey: ["hidden"],
    queryFn: ({ signal }) => api.get<HiddenLine[]>("/api/hidden-images", signal),
    meta: { topics: ["study"] },
    refetchInterval: MINUTE,
  });
  const columns: Column<HiddenLine>[] = [
    { id: "at", head: `Hidden, ${here.label}`, width: 124, fixed: true, cell: (one) => <span className="num" title={`${dayClock(one.made_at, "UTC")} UTC`}>{near(one.made_at, here.zone, now)}</span>, sort: (one) => one.made_at },
    { id: "why", head: "Why", width: 172, fixed: true, cell: (one) => <StateDot state={one.kind === "deletion" ? "bad" : "held"}>{kindWords(one.kind)}</StateDot>, sort: (one) => one.kind },
    { id: "images", head: "Images", width: 68, cell: (one) => <span className="num">{one.number_of_instances}</span>, sort: (one) => one.number_of_instances },
    { id: "study", head: "Study", cell: (one) => <span className="m">{one.description ?? "Study"}</span>, sort: (one) => one.description },
    { id: "date", head: "Made", width: 104, show: "wide", cell: (one) => <span className="num q">{one.study_date ? plainDate(one.study_date) : "–"}</span>, sort: (one) => one.study_date },
    { id: "accession", head: "Accession", width: 140, show: "wide", cell: (one) => <span className="num q">{one.accession ?? "none"}</span>, sort: (one) => one.accession },
    { id: "by", head: "By", width: 146, cell: (one) => hiddenBy(one), sort: (one) => hiddenBy(one) },
    { id: "facility", head: "Site", width: 120, show: "wide", cell: (one) => one.facility_name ?? "–", sort: (one) => one.facility_name },
  ];
  const shown = found.data ?? [];
  const state = useTable("hidden", columns, shown, (one) => one.id, { id: "at", desc: true });
  const [chosen, setChosen] = useState<string | null>(null);
  const close = () => void navigate("/hidden");
  useKeys("Hidden images", [{ id: "hidden.close", keys: ["Escape"], label: "Close the study", when: () => studyId !== undefined, run: close }]);
  return (
    <Page title="Hidden images" windowTitle="Hidden images">
      <div className="page">
        <div className={`mg${studyId ? " two-up" : ""}`}>
          <Panel className="clip" title="Hidden now" count={found.data ? shown.length : undefined} sub="by notes of the sites and by persons; each can be restored until it is deleted">
            {found.isError ? (
              <ErrorState error={found.error} retry={() => void found.refetch()} />
            ) : found.isPending ? (
              <SkeletonRows rows={10} />
            ) : (
              <DataTable
                state={state}
                label="Hidden images"
                main
                selected={chosen}
                onSelect={setChosen}
                onOpen={(one) => void navigate(`/hidden/${one.study_id}`, { replace: studyId !== undefined })}
                rowTone={(one) => (one.kind === "deletion" ? "person" : undefined)}
                empty={
                  <Empty title="Nothing is hidden" icon="eye">
                    Images that a site rejects by a note, or that a person hides, stand here with the reason. Open a study&rsquo;s images from its case to hide some.
                  </Empty>
                }
              />
            )}
          </Panel>
          {studyId && <StudyPanel key={studyId} id={studyId} onClose={close} place={here} />}
        </div>
        <Foot
          keys={[
            { keys: ["j", "k"], label: "move" },
            { keys: ["Enter"], label: "open the study" },
            { keys: ["h"], label: "hide images" },
            { keys: ["r"], label: "restore" },
            { keys: ["Escape"], label: "close" },
          ]}
        />
      </div>
    </Page>
  );
}
