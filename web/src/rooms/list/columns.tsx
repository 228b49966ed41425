import type { ListItem } from "../../api/types";
import { clock, type Column, ms, near, PatientName, type Place, plainDate, PriorityMark, priorityRank, SexAge, StateDot, TimeLeft } from "../../kit";
import { stateOf } from "./words";

/** Columns of a reader's list. `here`: where the reader sits, for times; `me`: their name, to tell a case that somebody else has open. */
export function columns(here: Place, me: string, now: number): Column<ListItem>[] {
  const site = (item: ListItem): Place => ({ zone: item.facility.time_zone, label: item.facility.short_name });
  return [
    { id: "priority", head: "Pri", width: 46, fixed: true, sort: (item) => priorityRank(item.priority), cell: (item) => <PriorityMark priority={item.priority} /> },
    {
      id: "left",
      head: "Left",
      width: 126,
      fixed: true,
      sort: (item) => (item.due_at ? ms(item.due_at) : null),
      cell: (item) => <TimeLeft due={item.due_at} start={item.clock_started_at} places={[site(item), here]} stopped={item.state === "done" || item.state === "cancelled" ? now : null} />,
    },
    { id: "patient", head: "Patient", fixed: true, className: "pt", sort: (item) => item.patient?.display_name, cell: (item) => (item.patient ? <PatientName patient={item.patient} /> : <span className="amber">Not matched yet</span>) },
    { id: "age", head: "Sex, age", width: 70, sort: (item) => item.patient?.birth_date, cell: (item) => <span className="num q">{item.patient ? <SexAge patient={item.patient} at={now} zone={item.facility.time_zone} /> : "–"}</span> },
    { id: "born", head: "Born", width: 100, show: "on-demand", sort: (item) => item.patient?.birth_date, cell: (item) => <span className="num q">{item.patient?.birth_date ? plainDate(item.patient.birth_date) : "–"}</span> },
    { id: "identifier", head: "Identifier", width: 116, show: "wide", sort: (item) => item.patient?.identifiers[0]?.value, cell: (item) => <span className="num q">{item.patient?.identifiers[0]?.value ?? "–"}</span> },
    { id: "exam", head: "Exam", sort: (item) => item.exam, cell: (item) => <span title={item.exam}>{item.exam}</span> },
    {
      id: "site",
      head: "Site",
      width: 148,
      sort: (item) => item.facility.short_name,
      cell: (item) => (
        <span className="q" title={`${item.facility.name}, ${clock(now, item.facility.time_zone)} there`}>
          {item.facility.short_name} <span className="f mi">{item.facility.jurisdiction}</span>
        </span>
      ),
    },
    { id: "site-time", head: "Site time", width: 84, show: "wide", cell: (item) => <span className="num q">{clock(now, item.facility.time_zone)}</span> },
    { id: "images", head: "Images", width: 68, align: "right", show: "not-narrow", sort: (item) => item.number_of_images, cell: (item) => <span className="num q">{item.number_of_images.toLocaleString("en-GB")}</span> },
    { id: "priors", head: "Priors", width: 60, align: "right", sort: (item) => item.number_of_priors, cell: (item) => (item.number_of_priors ? <span className="num">{item.number_of_priors}</span> : <span className="f">–</span>) },
    {
      id: "state",
      head: "State",
      width: 108,
      fixed: true,
      sort: (item) => stateOf(item, me).word,
      cell: (item) => {
        const state = stateOf(item, me);
        return (
          <span title={state.title}>
            <StateDot state={state.dot}>{state.word}</StateDot>
          </span>
        );
      },
    },
    { id: "last-image", head: "Last image", width: 92, align: "right", show: "wide", sort: (item) => item.last_image_at, cell: (item) => <span className="num q">{item.last_image_at ? near(item.last_image_at, here.zone, now) : "–"}</span> },
    { id: "accession", head: "Accession", width: 124, show: "wide", sort: (item) => item.accession, cell: (item) => <span className="num q">{item.accession ?? "–"}</span> },
    { id: "referrer", head: "Referrer", width: 150, show: "wide", sort: (item) => item.referrer, cell: (item) => <span className="q">{item.referrer ?? "–"}</span> },
  ];
}
