import { MultiSelect, NumberInput, PasswordInput, Select, Switch, TagsInput, TextInput } from "@mantine/core";
import { useState } from "react";
import { ApiError } from "../../api/client";
import { Button, Dialog, Note, useKeys } from "../../kit";

export type Value = string | number | boolean | string[] | null;
export type Values = Record<string, Value>;

export interface Field {
  name: string;
  label: string;
  kind?: "text" | "select" | "multi" | "tags" | "date" | "time" | "number" | "switch" | "password";
  options?: readonly { value: string; label: string }[];
  required?: boolean;
  hint?: string;
  /** Half of the row; else the whole. */
  half?: boolean;
  /** Says what is wrong with a value that is there. */
  check?: (value: string) => string | null;
  /** Not shown while this is false. */
  when?: (values: Values) => boolean;
}

export interface RecordDialogProps {
  title: string;
  save: string;
  fields: readonly Field[];
  start: Values;
  /** Takes what was typed; a refusal is told beside its field where the server names it. */
  onSave: (values: Values) => Promise<void>;
  onClose: () => void;
  note?: string;
  width?: number;
}

function isEmpty(value: Value | undefined): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

export function text(value: Value | undefined): string | null {
  const trimmed = typeof value === "string" ? value.trim() : "";
  return trimmed || null;
}

/** Problems by field: what is missing, then what a field says of itself. */
export function problemsOf(fields: readonly Field[], values: Values): Record<string, string> {
  const found: Record<string, string> = {};
  for (const field of fields) {
    if (field.when && !field.when(values)) continue;
    const value = values[field.name];
    if (isEmpty(value)) {
      if (field.required) found[field.name] = "This is needed";
    } else if (typeof value === "string" && field.check) {
      const wrong = field.check(value.trim());
      if (wrong) found[field.name] = wrong;
    }
  }
  return found;
}

/** A refusal by field; and in words what no field shown says. */
export function refusalOf(error: unknown, shown: readonly Pick<Field, "name">[]): { told: Record<string, string>; words: string } {
  const told: Record<string, string> = {};
  if (error instanceof ApiError && Array.isArray(error.problem.problems)) {
    for (const one of error.problem.problems as { field?: unknown; text?: unknown }[]) if (typeof one.field === "string" && typeof one.text === "string") told[one.field.split(".")[0] ?? one.field] = one.text;
  }
  const names = Object.keys(told);
  const all = names.length > 0 && names.every((name) => shown.some((field) => field.name === name));
  return { told, words: all ? "Not saved. See what is marked above." : error instanceof Error ? error.message : "This was not saved" };
}

/** A form for one thing, in a dialog. Ctrl+Enter saves. */
export function RecordDialog({ title, save, fields, start, onSave, onClose, note, width = 560 }: RecordDialogProps) {
  const [values, setValues] = useState<Values>(start);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [fromServer, setFromServer] = useState<Record<string, string>>({});
  const problems = { ...fromServer, ...(tried ? problemsOf(fields, values) : {}) };
  const set = (name: string, value: Value) => {
    setValues((before) => ({ ...before, [name]: value }));
    setFromServer({});
  };
  const go = async () => {
    setTried(true);
    setRefusal(null);
    if (Object.keys(problemsOf(fields, values)).length > 0 || busy) return;
    setBusy(true);
    try {
      await onSave(values);
      onClose();
    } catch (error) {
      const { told, words } = refusalOf(error, fields.filter((field) => !field.when || field.when(values)));
      setFromServer(told);
      setRefusal(words);
    } finally {
      setBusy(false);
    }
  };
  useKeys("Form", [{ id: "dialog.record.save", keys: ["Ctrl+Enter"], label: save, inFields: true, run: () => void go() }]);
  return (
    <Dialog
      opened
      title={title}
      width={width}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>Back</Button>
          <Button look="primary" keyHint="Ctrl+Enter" busy={busy} onClick={() => void go()}>
            {save}
          </Button>
        </>
      }
    >
      <form
        className="rf"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        {note && <p className="q full">{note}</p>}
        {fields
          .filter((field) => !field.when || field.when(values))
          .map((field, index) => (
            <div key={field.name} className={field.half ? undefined : "full"}>
              <Input field={field} value={values[field.name] ?? null} error={problems[field.name]} first={index === 0} onChange={(value) => set(field.name, value)} />
            </div>
          ))}
        {refusal && (
          <div className="full">
            <Note tone="red" role="alert">
              {refusal}
            </Note>
          </div>
        )}
      </form>
    </Dialog>
  );
}

function Input({ field, value, error, first, onChange }: { field: Field; value: Value; error: string | undefined; first: boolean; onChange: (value: Value) => void }) {
  const common = { label: field.label, description: field.hint, error, required: field.required, inputWrapperOrder: ["label", "input", "description", "error"] as ("label" | "input" | "description" | "error")[], ...(first ? { "data-autofocus": true } : {}) };
  const string = typeof value === "string" ? value : "";
  const options = [...(field.options ?? [])];
  switch (field.kind) {
    case "select":
      return <Select {...common} data={options} value={string || null} searchable={options.length > 8} clearable={!field.required} allowDeselect={!field.required} nothingFoundMessage="Nothing of that name" onChange={onChange} />;
    case "multi":
      return <MultiSelect {...common} data={options} value={Array.isArray(value) ? value : []} searchable clearable onChange={onChange} />;
    case "tags":
      return <TagsInput {...common} value={Array.isArray(value) ? value : []} splitChars={[",", " "]} acceptValueOnBlur onChange={onChange} />;
    case "number":
      return <NumberInput {...common} value={typeof value === "number" ? value : ""} min={0} allowDecimal={false} hideControls onChange={(next) => onChange(typeof next === "number" ? next : null)} />;
    case "switch":
      return <Switch label={field.label} description={field.hint} checked={value === true} onChange={(event) => onChange(event.currentTarget.checked)} />;
    case "password":
      return <PasswordInput {...common} autoComplete="new-password" value={string} onChange={(event) => onChange(event.currentTarget.value)} />;
    default:
      return <TextInput {...common} type={field.kind === "date" ? "date" : field.kind === "time" ? "time" : "text"} autoComplete="off" value={string} onChange={(event) => onChange(event.currentTarget.value)} />;
  }
}
