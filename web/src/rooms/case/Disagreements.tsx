import { mayEnter, useSession } from "../../api/session";
import type { CaseDetail } from "../../api/types";
import { LinkButton, Note } from "../../kit";
import { disagreementWords } from "../identity/words";

/** What the images of the case say otherwise than its order: the same stands before the reader who signs. */
export function Disagreements({ detail }: { detail: CaseDetail }) {
  const mayMend = mayEnter(useSession(), "identity");
  const studies = [...new Set(detail.disagreements.map((one) => one.study_id))];
  if (studies.length === 0) return null;
  return (
    <div className="alarms" role="group" aria-label="Images disagree with the order">
      {studies.map((id) => (
        <Note
          key={id}
          tone="amber"
          action={
            mayMend && (
              <LinkButton size="sm" to={`/identity/${id}`}>
                Whose images?
              </LinkButton>
            )
          }
        >
          {studies.length > 1 && `${detail.studies.find((study) => study.id === id)?.description ?? "A study"}: `}
          The images disagree with the order. {capital(detail.disagreements.filter((one) => one.study_id === id).map(disagreementWords).join("; "))}.
        </Note>
      ))}
    </div>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
