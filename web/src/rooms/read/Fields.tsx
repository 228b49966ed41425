import { Menu } from "@mantine/core";
import { useState } from "react";
import type { FieldValue, TemplateField } from "../../api/types";
import { Button } from "../../kit";

export function isEmpty(value: FieldValue | null | undefined): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

export function inWords(field: TemplateField, value: FieldValue | null | undefined): string {
  if (isEmpty(value)) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.join(", ");
  return `${value}${field.unit ? ` ${field.unit}` : ""}`;
}

interface Props {
  fields: readonly TemplateField[];
  values: Record<string, FieldValue | null>;
  locked: boolean;
  onChange: (id: string, value: FieldValue | null) => void;
}

/** Structured answers of a section. Nothing is normal silently: "normal" is a press for each, or one for all that are open. */
export function Fields({ fields, values, locked, onChange }: Props) {
  const open = fields.filter((field) => isEmpty(values[field.id]) && !isEmpty(field.normal));
  return (
    <div className="flds">
      {fields.map((field) => (
        <div className="fl" key={field.id} data-field={field.id}>
          <label className="fn" htmlFor={`f-${field.id}`}>
            {field.label}
          </label>
          <span className="fv">
            <Answer field={field} value={values[field.id] ?? null} locked={locked} onChange={(value) => onChange(field.id, value)} />
            {isEmpty(values[field.id]) && !isEmpty(field.normal) && !locked && (
              <button type="button" className="nrm" onClick={() => onChange(field.id, field.normal ?? null)} title={`Normal: ${inWords(field, field.normal)}`}>
                {inWords(field, field.normal)}
              </button>
            )}
          </span>
        </div>
      ))}
      {open.length > 1 && !locked && (
        <div className="fl">
          <span />
          <span>
            <Button
              size="sm"
              look="quiet"
              icon="check"
              title="Fills what is still open; what you answered stays (Alt+N)"
              onClick={() => {
                for (const field of open) onChange(field.id, field.normal ?? null);
              }}
            >
              Rest is normal ({open.length})
            </Button>
          </span>
        </div>
      )}
    </div>
  );
}

function Answer({ field, value, locked, onChange }: { field: TemplateField; value: FieldValue | null; locked: boolean; onChange: (value: FieldValue | null) => void }) {
  const id = `f-${field.id}`;
  const todo = field.required && isEmpty(value) ? " todo" : "";
  switch (field.type) {
    case "enum":
    case "boolean": {
      const options = field.type === "boolean" ? ["yes", "no"] : (field.options ?? []);
      const shown = field.type === "boolean" ? inWords(field, value) : String(value ?? "");
      return (
        <select
          id={id}
          className={`pick${todo}`}
          value={shown}
          disabled={locked}
          onChange={(event) => {
            const chosen = event.currentTarget.value;
            onChange(chosen === "" ? null : field.type === "boolean" ? chosen === "yes" : chosen);
          }}
        >
          <option value="">{field.required ? "to fill in" : "–"}</option>
          {options.map((option) => (
            <option key={option} value={option}>
              {option}
            </option>
          ))}
        </select>
      );
    }
    case "multi":
      return <Several id={id} field={field} value={Array.isArray(value) ? value : []} locked={locked} todo={todo} onChange={onChange} />;
    case "number":
      return <NumberAnswer id={id} field={field} value={typeof value === "number" ? value : null} locked={locked} todo={todo} onChange={onChange} />;
    case "text":
      return <input id={id} className={`pick txt${todo}`} value={typeof value === "string" ? value : ""} disabled={locked} maxLength={400} onChange={(event) => onChange(event.currentTarget.value)} />;
  }
}

function Several({ id, field, value, locked, todo, onChange }: { id: string; field: TemplateField; value: string[]; locked: boolean; todo: string; onChange: (value: string[]) => void }) {
  const options = field.options ?? [];
  const none = options.find((option) => ["none", "intact", "clear", "normal"].includes(option));
  const toggle = (option: string) => {
    if (value.includes(option)) return onChange(value.filter((one) => one !== option));
    // "none" beside a finding says two things at once.
    if (option === none) return onChange([option]);
    onChange(options.filter((one) => one === option || (one !== none && value.includes(one))));
  };
  return (
    <Menu closeOnItemClick={false} position="bottom-start" disabled={locked}>
      <Menu.Target>
        <button type="button" id={id} className={`pick${todo}`} disabled={locked}>
          {value.length ? value.join(", ") : field.required ? "to fill in" : "–"}
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {options.map((option) => (
          <Menu.Item key={option} role="menuitemcheckbox" aria-checked={value.includes(option)} leftSection={<input type="checkbox" className="tick" tabIndex={-1} readOnly checked={value.includes(option)} aria-hidden="true" />} onClick={() => toggle(option)}>
            {option}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

/** Half-typed numbers ("1," or "-") stay in the field until they are one. */
function NumberAnswer({ id, field, value, locked, todo, onChange }: { id: string; field: TemplateField; value: number | null; locked: boolean; todo: string; onChange: (value: number | null) => void }) {
  const [typed, setTyped] = useState<string | null>(null);
  const parsed = (text: string) => {
    const number = Number(text.trim().replace(",", "."));
    return text.trim() === "" || Number.isNaN(number) ? null : number;
  };
  const wrong = typed !== null && typed.trim() !== "" && parsed(typed) === null;
  return (
    <span className="num-f">
      <input
        id={id}
        className={`pick n${todo}${wrong ? " wrong" : ""}`}
        inputMode="decimal"
        autoComplete="off"
        disabled={locked}
        aria-invalid={wrong}
        value={typed ?? (value === null ? "" : String(value))}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          onChange(parsed(event.currentTarget.value));
        }}
        onBlur={() => setTyped(null)}
      />
      {field.unit && <span className="q sm">{field.unit}</span>}
    </span>
  );
}
