import type { Version } from "../api/types";
import { Icon } from "./Icon";
import { dayClock } from "./time";
import "./report.css";

const KINDS: Record<Version["kind"], string> = { preliminary: "Preliminary", final: "Final", addendum: "Addendum", corrected: "Corrected" };

/** "Final, version 1" */
export function versionName(version: { kind: string; number: number }): string {
  const kind = version.kind in KINDS ? KINDS[version.kind as Version["kind"]] : version.kind;
  return `${kind}, version ${version.number}`;
}

/** ", licence NO 7751203, read from Sydney" */
function signedAs({ signer_details: { licence, place } }: Version): string {
  return `${licence ? `, licence ${licence.jurisdiction} ${licence.number}` : ""}${place ? `, read from ${place.name}` : ""}`;
}

/** A signed report as it is read: sections in their order, then who signed. Text is text: nothing in it is markup. */
export function ReportText({ version, zone, exam }: { version: Version; zone: string; exam?: string }) {
  const sections = version.sections.filter((section) => section.text.trim());
  return (
    <article className="rtext" aria-label={versionName(version)}>
      <header>
        {exam && <b>{exam}</b>}
        <div className="q sm">
          {versionName(version)} · <span className="num">{dayClock(version.signed_at, zone)}</span>
          {version.state === "withdrawn" && " · withdrawn"}
        </div>
      </header>
      {sections.length > 0 ? (
        sections.map((section) => (
          <section key={section.id}>
            <h3>{section.title}</h3>
            <p>{section.text}</p>
          </section>
        ))
      ) : (
        <p>{version.text}</p>
      )}
      <footer className="signed">
        <Icon name="lock" size={14} />
        <span>
          Signed by {version.signer_name}
          {signedAs(version)}, <span className="num nw">{dayClock(version.signed_at, zone)}</span>.
        </span>
      </footer>
    </article>
  );
}
