import type { KeyboardEvent, ReactNode } from "react";

export interface Tab {
  id: string;
  label: string;
  count?: number;
  /** Amber: needs a person; red: broken. Only while the count is above zero. */
  tone?: "hot" | "bad";
}

/** Saved filters as tabs with counts. Arrow keys move among them. */
export function Tabs({ label, tabs, value, onChange, children }: { label: string; tabs: readonly Tab[]; value: string; onChange: (id: string) => void; children?: ReactNode }) {
  const move = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab.id === value);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    onChange(next.id);
    event.currentTarget.querySelector<HTMLElement>(`[data-tab="${CSS.escape(next.id)}"]`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" aria-label={label} tabIndex={-1} onKeyDown={move}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          data-tab={tab.id}
          aria-selected={tab.id === value}
          tabIndex={tab.id === value ? 0 : -1}
          className={`tab${tab.id === value ? " on" : ""}`}
          onClick={() => onChange(tab.id)}
        >
          {tab.label}
          {tab.count !== undefined && <span className={`c${tab.tone && tab.count > 0 ? ` ${tab.tone}` : ""}`}>{tab.count}</span>}
        </button>
      ))}
      {children}
    </div>
  );
}

/** A choice of two to four, all in sight. */
export function Segments<T extends string>({ label, options, value, onChange, small }: { label: string; options: readonly { id: T; label: ReactNode }[]; value: T; onChange: (id: T) => void; small?: boolean }) {
  return (
    <span className={`seg${small ? " s" : ""}`} role="group" aria-label={label}>
      {options.map((option) => (
        <button key={option.id} type="button" aria-pressed={option.id === value} className={option.id === value ? "on" : undefined} onClick={() => onChange(option.id)}>
          {option.label}
        </button>
      ))}
    </span>
  );
}
