import { Link } from "react-router";
import { mayEnter, useSession } from "../../api/session";
import type { PatientFile, PatientReport } from "../../api/types";
import { Chip, Empty, LinkButton, near, Panel, patientName, type Place, plainDate, PriorityMark, StateDot, useNow, versionName } from "../../kit";
import { ORDER_STATES } from "./words";

function useCaseLink(): (caseId: string | null, words: string) => React.ReactNode {
  const session = useSession();
  const may = mayEnter(session, "case");
  return function CaseLink(caseId, words) {
    return caseId && may ? <Link to={`/case/${caseId}`}>{words}</Link> : words;
  };
}

export function StudiesPanel({ file }: { file: PatientFile }) {
  const toCase = useCaseLink();
  return (
    <Panel title="Studies" count={file.studies.length}>
      {file.studies.length === 0 ? (
        <Empty title="No images" icon="images">
          A study stands here when its images come under one of this patient&rsquo;s identifiers, or a person files it here.
        </Empty>
      ) : (
        <table className="inset" aria-label="Studies">
          <thead>
            <tr>
              <th style={{ width: 104 }}>Date</th>
              <th>Study</th>
              <th style={{ width: 72 }}>Modality</th>
              <th style={{ width: 128 }}>Accession</th>
              <th style={{ width: 62 }} className="r">
                Images
              </th>
              <th className="wide" style={{ width: 130 }}>
                Site
              </th>
              <th style={{ width: 84 }}>State</th>
              <th style={{ width: 100 }} />
            </tr>
          </thead>
          <tbody>
            {file.studies.map((study) => (
              <tr key={study.id}>
                <td className="num q">{study.study_date ? plainDate(study.study_date) : "–"}</td>
                <td className="m">{toCase(study.case_id, study.description ?? "Study")}</td>
                <td className="q">{study.modalities.join(", ")}</td>
                <td className="num q">{study.accession ?? "none"}</td>
                <td className="num q r">{study.number_of_instances}</td>
                <td className="q wide">{study.facility_name}</td>
                <td className={study.match_state === "held" || study.match_state === "unmatched" ? "amber" : "q"}>{study.match_state.replaceAll("_", " ")}</td>
                <td className="r">
                  <LinkButton size="sm" look="quiet" to={`/identity/${study.id}`}>
                    Whose it is
                  </LinkButton>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

export function OrdersPanel({ file, place }: { file: PatientFile; place: Place }) {
  const toCase = useCaseLink();
  const now = useNow();
  return (
    <Panel title="Orders" count={file.orders.length}>
      {file.orders.length === 0 ? (
        <p className="quiet-line">No order for this patient.</p>
      ) : (
        <table className="inset" aria-label="Orders">
          <thead>
            <tr>
              <th style={{ width: 104 }}>Came, {place.label}</th>
              <th style={{ width: 44 }} aria-label="Priority" />
              <th>Order</th>
              <th style={{ width: 128 }}>Accession</th>
              <th className="wide" style={{ width: 130 }}>
                Site
              </th>
              <th style={{ width: 100 }}>State</th>
            </tr>
          </thead>
          <tbody>
            {file.orders.map((order) => (
              <tr key={order.id}>
                <td className="num q">{near(order.received_at, place.zone, now)}</td>
                <td>
                  <PriorityMark priority={order.priority} />
                </td>
                <td className="m">{toCase(order.case_id, order.description)}</td>
                <td className="num q">{order.accession ?? "none"}</td>
                <td className="q wide">{order.facility_name}</td>
                <td className="q">{ORDER_STATES[order.status] ?? order.status}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

export function ReportsPanel({ file, place }: { file: PatientFile; place: Place }) {
  const toCase = useCaseLink();
  const now = useNow();
  return (
    <Panel title="Reports" count={file.reports.length}>
      {file.reports.length === 0 ? (
        <p className="quiet-line">No report is signed.</p>
      ) : (
        <ul className="pa-l" aria-label="Reports">
          {file.reports.map((report) => (
            <li key={report.version_id}>
              <span className="grow">
                <span>
                  {toCase(report.case_id, report.exam)} <span className="q">{versionName(report)}</span> {report.state === "withdrawn" && <Chip tone="outline">withdrawn</Chip>}
                </span>
                <span className="q sm num">
                  {report.signer_name}, {near(report.signed_at, place.zone, now)} {place.label}, {report.facility_name}
                </span>
                <Flag report={report} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** A report is never moved silently: where its identity and its images part, it says so. */
function Flag({ report }: { report: PatientReport }) {
  if (report.signed_for)
    return (
      <StateDot state="held">
        <span>
          Signed for <Link to={`/patients/${report.signed_for.id}`}>{patientName(report.signed_for)}</Link>
        </span>
      </StateDot>
    );
  if (report.images_of)
    return (
      <StateDot state="held">
        <span>
          Its images are filed under <Link to={`/patients/${report.images_of.id}`}>{patientName(report.images_of)}</Link> now
        </span>
      </StateDot>
    );
  return null;
}
