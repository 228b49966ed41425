import { useState } from "react";
import { Button, clock, type Column, ColumnsButton, DataTable, Empty, MINUTE, ms, Panel, PatientName, type Place, plainDate, PriorityMark, priorityRank, Segments, StateDot, TimeLeft, useKeys, useNow, useTable } from "../../kit";
import { type BoardCase, type CaseFilter, isOpen, lacksReader, nameOf, passes, shortReader, stateOf, toneOf } from "./words";

const FILTERS: CaseFilter[] = ["all", "nobody", "arriving"];

export interface CasesProps {
  cases: readonly BoardCase[];
  /** How many are open in all, where only those due first are here. */
  total: number;
  here: Place;
  onOpen: (item: BoardCase) => void;
  onReassign: (item: BoardCase) => void;
}

/** Open cases by deadline. J K Enter; A gives to another reader; F turns the filter. */
export function Cases({ cases, total, here, onOpen, onReassign }: CasesProps) {
  const now = useNow(MINUTE);
  const [filter, setFilter] = useState<CaseFilter>("all");
  const [chosen, setChosen] = useState<string | null>(null);
  const open = cases.filter(isOpen);
  const shown = open.filter((item) => passes(item, filter));
  const count = (name: CaseFilter) => open.filter((item) => passes(item, name)).length;
  const columns: Column<BoardCase>[] = [
    { id: "pri", head: "Pri", width: 42, cell: (item) => <PriorityMark priority={item.priority} />, sort: (item) => priorityRank(item.priority) },
    {
      id: "left",
      head: "Left",
      width: 118,
      fixed: true,
      cell: (item) => <TimeLeft due={item.due_at} start={item.clock_started_at} places={[{ zone: item.facility.time_zone, label: item.facility.short_name }, here]} />,
      sort: (item) => (item.due_at ? ms(item.due_at) : null),
    },
    { id: "patient", head: "Patient", width: 194, fixed: true, cell: (item) => (item.patient ? <PatientName patient={item.patient} /> : <span className="amber">not matched yet</span>), sort: (item) => nameOf(item.patient) },
    { id: "born", head: "Born", width: 104, show: "wide", cell: (item) => <span className="num q">{item.patient?.birth_date ? plainDate(item.patient.birth_date) : "–"}</span>, sort: (item) => item.patient?.birth_date },
    { id: "mrn", head: "Identifier", width: 116, show: "wide", cell: (item) => <span className="num q">{item.patient?.identifiers[0]?.value ?? "none"}</span>, sort: (item) => item.patient?.identifiers[0]?.value },
    { id: "exam", head: "Exam", cell: (item) => item.exam, sort: (item) => item.exam },
    { id: "site", head: "Site", width: 104, cell: (item) => <span className="q">{item.facility.short_name}</span>, sort: (item) => item.facility.short_name },
    { id: "there", head: "Due there", width: 84, show: "wide", align: "right", cell: (item) => <span className="num q">{item.due_at ? clock(item.due_at, item.facility.time_zone) : "–"}</span> },
    { id: "accession", head: "Accession", width: 126, show: "wide", cell: (item) => <span className="num q">{item.accession ?? "none"}</span>, sort: (item) => item.accession },
    { id: "images", head: "Images", width: 70, show: "wide", align: "right", cell: (item) => <span className="num q">{item.number_of_images}</span>, sort: (item) => item.number_of_images },
    {
      id: "state",
      head: "State",
      width: 98,
      fixed: true,
      cell: (item) => {
        const [dot, text] = stateOf(item);
        return <StateDot state={dot}>{text}</StateDot>;
      },
      sort: (item) => stateOf(item)[1],
    },
    {
      id: "reader",
      head: "Reader",
      width: 136,
      cell: (item) =>
        item.reader ? (
          <span title={item.reader.name}>{shortReader(item.reader.name)}</span>
        ) : lacksReader(item) ? (
          <Button size="sm" title={item.no_reader_reasons ?? undefined} onClick={() => onReassign(item)}>
            Find reader
          </Button>
        ) : (
          <span className="f">–</span>
        ),
      sort: (item) => item.reader?.name,
    },
    {
      id: "notes",
      head: "Notes",
      width: 190,
      show: "wide",
      cell: (item) => (
        <span className="q">{item.hold_reason ? `On hold: ${item.hold_reason}` : item.no_reader_reasons ?? (item.late_images_at ? `Images came late, ${clock(item.late_images_at, here.zone)}` : item.is_provisional ? "Provisional: no order yet" : (item.referrer ?? ""))}</span>
      ),
    },
  ];
  const state = useTable("board", columns, shown, (item) => item.read_id || item.case_id, { id: "left" });
  const current = shown.find((item) => (item.read_id || item.case_id) === chosen);
  useKeys("Board", [
    { id: "board.reassign", keys: ["a"], label: "Give the chosen case to another reader", when: () => current !== undefined, run: () => current && onReassign(current) },
    { id: "board.filter", keys: ["f"], label: "Filter: all, no reader, arriving", run: () => setFilter(FILTERS[(FILTERS.indexOf(filter) + 1) % FILTERS.length] ?? "all") },
  ]);
  return (
    <Panel
      className="cs clip"
      title="Open cases by deadline"
      count={total > open.length ? `${open.length} of ${total}` : open.length}
      end={
        <>
          <Segments<CaseFilter>
            small
            label="Which cases"
            value={filter}
            onChange={setFilter}
            options={[
              { id: "all", label: "All" },
              { id: "nobody", label: `No reader ${count("nobody")}` },
              { id: "arriving", label: `Arriving ${count("arriving")}` },
            ]}
          />
          <Button size="sm" keyHint="a" disabled={!current} onClick={() => current && onReassign(current)}>
            Reassign
          </Button>
          <ColumnsButton state={state} />
        </>
      }
    >
      <DataTable
        state={state}
        label="Open cases by deadline"
        main
        selected={chosen}
        onSelect={setChosen}
        onOpen={onOpen}
        onOpenApart={(item) => window.open(`/app/case/${item.case_id}`, "_blank", "noopener")}
        rowTone={(item) => toneOf(item, now)}
        empty={
          filter === "all" ? (
            <Empty title="No case is open">Cases appear here as soon as a study has its order, and leave when the site has the report.</Empty>
          ) : (
            <Empty title={filter === "nobody" ? "Every case has a reader" : "No images are arriving"} icon="check" action={<Button onClick={() => setFilter("all")}>Show all {open.length}</Button>} />
          )
        }
      />
    </Panel>
  );
}
