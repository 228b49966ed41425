import type { DraftContent, TemplateSection, Workspace } from "../../api/types";
import { Chip, ReportText, relative, useNow } from "../../kit";
import type { DraftStatus, DraftKeeper } from "./draft";
import { SectionEditor } from "./Editor";
import { Fields } from "./Fields";

interface Props {
  workspace: Workspace;
  zone: string;
  content: DraftContent;
  keeper: DraftKeeper;
  locked: boolean;
}

/** The report as it is written: first what it answers, then findings with their fields, then the impression. */
export function ReportBody({ workspace, zone, content, keeper, locked }: Props) {
  const { sections, fields } = workspace.report.template;
  const isAddendum = sections.some((section) => section.id === "addendum");
  const written = isAddendum ? sections.filter((section) => section.id === "addendum") : sections;
  const last = workspace.previous_versions.at(-1);
  const preface = written.filter((section) => section.kind === "text" && before(section, written));
  const rest = written.filter((section) => !preface.includes(section));
  const blur = () => void keeper.saveNow();
  const editor = (section: TemplateSection) => <SectionEditor id={section.id} label={section.title} text={content.sections[section.id] ?? ""} locked={locked} onChange={(text) => keeper.setSection(section.id, text)} onBlur={blur} />;
  return (
    <div className="ed scroll" onBlur={blur}>
      {last && (
        <div className="was">
          <ReportText version={last} zone={zone} />
        </div>
      )}
      {preface.length > 0 && (
        <div className="pf">
          {preface.map((section) => (
            <div className="pf-row" key={section.id}>
              <span className="pf-l">{section.title}</span>
              {editor(section)}
            </div>
          ))}
        </div>
      )}
      {rest.map((section) => {
        const own = isAddendum ? [] : fields.filter((field) => field.section === section.id);
        return (
          <section key={section.id} className="sec">
            <h3>
              {section.title}
              {section.required && <span className="sr"> (required)</span>}
            </h3>
            {own.length > 0 && <Fields fields={own} values={content.fields} locked={locked} onChange={keeper.setField} />}
            {editor(section)}
          </section>
        );
      })}
    </div>
  );
}

/** Text sections above the findings are the preface; those after stand in their own place. */
function before(section: TemplateSection, all: readonly TemplateSection[]): boolean {
  const findings = all.findIndex((one) => one.kind === "findings");
  return findings > 0 && all.indexOf(section) < findings;
}

/** "Saved 2 s ago", and what it means when it is not. */
export function SavedLine({ status }: { status: DraftStatus }) {
  const now = useNow(status.state === "saved" ? 5000 : 60_000);
  switch (status.state) {
    case "saved":
      return <span className="q">{status.savedAt === null ? "Nothing typed yet" : savedWords(status.savedAt, now)}</span>;
    case "waiting":
    case "saving":
      return <span className="q">Saving</span>;
    case "offline":
      return <span className="amber">No line to the server. Kept in this browser; sending again by itself.</span>;
    case "moved-on":
      return <span className="red">Open in another window. What you typed here is kept in this browser.</span>;
    case "taken":
      return <span className="red">No longer yours to write. What you typed is kept in this browser.</span>;
    case "refused":
      return <span className="red">Not saved: {status.problem}</span>;
  }
}

function savedWords(at: number, now: number): string {
  const words = relative(at, now);
  return words === "now" ? "Saved just now" : `Saved ${words}`;
}

export function ReportHead({ workspace, signed }: { workspace: Workspace; signed: boolean }) {
  const { template } = workspace.report;
  return (
    <div className="ph">
      <h2>Report</h2>
      <Chip tone="outline">{signed ? "Signed" : workspace.read.kind === "addendum" ? "Addendum" : "Draft"}</Chip>
      <span className="sub">
        {template.name}, template v{template.version}
      </span>
    </div>
  );
}
