import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api } from "../../api/client";
import type { Topic } from "../../api/live";
import { herePlace, useSession } from "../../api/session";
import type { SearchHit } from "../../api/types";
import { type Column, DataTable, Empty, ErrorState, Foot, MINUTE, near, Page, Panel, PatientName, plainDate, SkeletonRows, useNow, useTable } from "../../kit";
import { readWords } from "./words";

const TOPICS: readonly Topic[] = ["case", "study", "report"];

/** Where an auditor begins: the newest cases of the organisation; older ones are found by the search. */
export function CasesPage() {
  const session = useSession();
  const navigate = useNavigate();
  const here = herePlace(session);
  const now = useNow(MINUTE);
  const [chosen, setChosen] = useState<string | null>(null);
  const found = useQuery({ queryKey: ["search", "", "newest"], queryFn: () => api.post<SearchHit[]>("/api/search"), meta: { topics: TOPICS } });
  const columns: Column<SearchHit>[] = [
    { id: "when", head: `Images, ${here.label}`, width: 138, fixed: true, sort: (one) => one.when, cell: (one) => <span className="num">{one.when ? near(one.when, here.zone, now) : "–"}</span> },
    { id: "patient", head: "Patient", fixed: true, className: "pt", sort: (one) => one.patient?.display_name, cell: (one) => (one.patient ? <PatientName patient={one.patient} /> : <span className="amber">Not matched yet</span>) },
    { id: "born", head: "Born", width: 110, sort: (one) => one.patient?.birth_date, cell: (one) => <span className="num q">{one.patient?.birth_date ? plainDate(one.patient.birth_date) : "–"}</span> },
    { id: "identifier", head: "Identifier", width: 130, sort: (one) => one.patient?.identifiers[0]?.value, cell: (one) => <span className="num q">{one.patient?.identifiers[0]?.value ?? "–"}</span> },
    { id: "exam", head: "Exam", sort: (one) => one.exam, cell: (one) => <span title={one.exam}>{one.exam}</span> },
    { id: "state", head: "State", width: 120, sort: (one) => one.state, cell: (one) => <span className="q">{readWords(one.state)}</span> },
  ];
  const state = useTable("cases", columns, found.data ?? [], (one) => one.case_id ?? "", { id: "when", desc: true });
  return (
    <Page title="Cases" windowTitle="Cases">
      <div className="page">
        <div className="cases">
          <Panel className="clip" title="Newest cases" count={found.data?.length} sub="older ones are found by the search; what you look at is recorded">
            {found.data ? (
              <DataTable
                state={state}
                label="Newest cases"
                main
                selected={chosen}
                onSelect={setChosen}
                onOpen={(one) => one.case_id && void navigate(`/case/${one.case_id}`)}
                empty={
                  <Empty title="No case yet" icon="timeline">
                    A case stands here as soon as its images come: who read it, who saw it, and each step with its time.
                  </Empty>
                }
              />
            ) : found.isError ? (
              <ErrorState error={found.error} retry={() => void found.refetch()} />
            ) : (
              <SkeletonRows rows={10} />
            )}
          </Panel>
        </div>
        <Foot keys={[{ keys: ["j", "k"], label: "move" }, { keys: ["Enter"], label: "open" }, { keys: ["/"], label: "search" }, { keys: ["?"], label: "all keys" }]} />
      </div>
    </Page>
  );
}
