import { Select, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { api, url } from "../../api/client";
import type { StudyIdentity } from "../../api/types";
import { Button, ConfirmDialog, IconButton, toast, UsualReasons } from "../../kit";
import { toDicom, toField } from "./words";

/** Offered first: what is most often wrong. */
const FIRST = "00100030";
const HINTS: Record<string, string> = { PN: "Family^Given^Middle", DS: "Metres or kilograms, as 1.72", AS: "As 068Y" };

interface Line {
  tag: string;
  text: string;
}

/** Attributes that do not say who the patient is, put right for the whole study. Mount it when it is to be open. */
export function PutRightDialog({ identity, onClose, onDone }: { identity: StudyIdentity; onClose: () => void; onDone: (values: Record<string, string>) => void }) {
  const attributes = new Map(identity.attributes.map((one) => [one.tag, one]));
  const fresh = (tag: string): Line => ({ tag, text: toField(attributes.get(tag) ?? { vr: "" }, attributes.get(tag)?.value ?? "") });
  const [lines, setLines] = useState<Line[]>([fresh(attributes.has(FIRST) ? FIRST : (identity.attributes[0]?.tag ?? ""))]);
  const [reason, setReason] = useState("");
  const change = (at: number, next: Line) => setLines(lines.map((line, index) => (index === at ? next : line)));
  const values = Object.fromEntries(lines.map((line) => [line.tag, toDicom(attributes.get(line.tag) ?? { vr: "" }, line.text)] as const).filter(([tag, text]) => text !== attributes.get(tag)?.value));
  const taken = new Set(lines.map((line) => line.tag));
  const next = identity.attributes.find((one) => !taken.has(one.tag));
  return (
    <ConfirmDialog
      opened
      title="Put right by hand"
      width={680}
      confirm={Object.keys(values).length > 1 ? `Put ${Object.keys(values).length} values right` : "Put it right"}
      ready={Object.keys(values).length > 0 && reason.trim().length > 2}
      onClose={onClose}
      onConfirm={async () => {
        await api.post(url`/api/studies/${identity.study_id}/corrections`, { values, reason: reason.trim() });
        toast({ tone: "done", text: "Put right for the whole study; it can be taken back" });
        onDone(values);
        onClose();
      }}
    >
      <div className="id-f">
        <p className="q">The images stay as they came. On their way out they say this, with what stood there before. Another identifier is another patient: file the study under them instead.</p>
        {lines.map((line, at) => {
          const attribute = attributes.get(line.tag);
          const label = at === 0 ? "Value" : `Value ${at + 1}`;
          return (
            <div className="pair" key={at}>
              <Select
                label={at === 0 ? "Attribute" : `Attribute ${at + 1}`}
                searchable
                allowDeselect={false}
                value={line.tag}
                data={identity.attributes.filter((one) => one.tag === line.tag || !taken.has(one.tag)).map((one) => ({ value: one.tag, label: one.name }))}
                onChange={(tag) => tag && change(at, fresh(tag))}
              />
              {line.tag === "00100040" ? (
                <Select label={label} value={line.text || null} data={["F", "M", "O"]} clearable onChange={(text) => change(at, { ...line, text: text ?? "" })} />
              ) : (
                <TextInput data-autofocus={at === 0 || undefined} label={label} type={attribute?.vr === "DA" ? "date" : "text"} placeholder={HINTS[attribute?.vr ?? ""] ?? "empty"} value={line.text} autoComplete="off" spellCheck={false} onChange={(event) => change(at, { ...line, text: event.currentTarget.value })} />
              )}
              <IconButton label="Leave this one" icon="cross" disabled={lines.length === 1} onClick={() => setLines(lines.filter((_, index) => index !== at))} />
            </div>
          );
        })}
        {next && (
          <div>
            <Button size="sm" look="quiet" icon="plus" onClick={() => setLines([...lines, fresh(next.tag)])}>
              Another value
            </Button>
          </div>
        )}
        <div>
          <Textarea label="Reason, kept in the record" value={reason} maxLength={500} onChange={(event) => setReason(event.currentTarget.value)} />
          <UsualReasons reasons={["Typed wrongly at the scanner", "Confirmed with the site by phone"]} onTake={setReason} />
        </div>
      </div>
    </ConfirmDialog>
  );
}
