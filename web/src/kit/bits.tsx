/** Small marks that stand in many rooms. */
import type { ReactNode } from "react";
import { Icon, type IconName } from "./Icon";

export type DotState = "arriving" | "waiting" | "ready" | "assigned" | "reading" | "draft" | "done" | "held" | "bad" | "just";

const DOTS: Record<DotState, string> = {
  arriving: "arr",
  waiting: "held",
  ready: "ready",
  assigned: "ready",
  reading: "read",
  draft: "draft",
  done: "done",
  held: "held",
  bad: "bad",
  just: "just",
};

/** A state as a dot and a word; the shape differs as well as the colour. */
export function StateDot({ state, children }: { state: DotState; children: ReactNode }) {
  const tone = state === "held" || state === "waiting" ? " amber" : state === "bad" ? " red" : state === "just" ? " green" : "";
  return (
    <span className={`st ${DOTS[state]}${tone}`}>
      <i />
      {children}
    </span>
  );
}

export const SITE_STEPS: readonly string[] = ["Ordered", "Images", "Queue", "Reading", "Signed", "Seen"];

/** The six steps a site sees; `current` counts from 0. Amber: this step needs a person. */
export function StepBar({ current, names = SITE_STEPS, attention, label }: { current: number; names?: readonly string[]; attention?: boolean; label?: string }) {
  const last = names.length - 1;
  return (
    <span className={attention ? "amber" : undefined}>
      <span className="stp" role="img" aria-label={`Step ${current + 1} of ${names.length}: ${names[current] ?? ""}`}>
        {names.map((name, index) => (
          <i key={name} title={name} className={index < current || (index === last && current === last) ? "on" : index === current ? (attention ? "am" : "cur") : undefined} />
        ))}
      </span>
      {label ?? names[current]}
    </span>
  );
}

type ChipTone = "plain" | "outline" | "accent" | "amber" | "red" | "green";
const CHIPS: Record<ChipTone, string> = { plain: "", outline: " o", accent: " a", amber: " am", red: " rd", green: " gr" };

/** Never for what is normal. */
export function Chip({ tone = "plain", icon, children, title }: { tone?: ChipTone; icon?: IconName; children: ReactNode; title?: string }) {
  return (
    <span className={`chip${CHIPS[tone]}`} title={title}>
      {icon && <Icon name={icon} size={12} />}
      {children}
    </span>
  );
}

/** Beside what an image says of itself, where its character set is missing, unknown or belied by the bytes. */
export function GarbledText() {
  return (
    <Chip tone="amber" title="The images declare no character set, or another than they are written in: names and descriptions may be wrong. Compare the identifier">
      text may be garbled
    </Chip>
  );
}

type NoteTone = "info" | "amber" | "red" | "green";
const NOTES: Record<NoteTone, [string, IconName]> = { info: ["", "info"], amber: [" am", "warn"], red: [" rd", "warn"], green: [" gr", "check"] };

/** What happened and what to do, with the button beside the sentence. */
export function Note({ tone = "info", icon, children, action, role }: { tone?: NoteTone; icon?: IconName; children: ReactNode; action?: ReactNode; role?: "alert" | "status" }) {
  const [className, own] = NOTES[tone];
  return (
    <div className={`note${className}`} role={role}>
      <Icon name={icon ?? own} />
      <div className="grow">{children}</div>
      {action}
    </div>
  );
}

export function Caps({ children, end }: { children: ReactNode; end?: ReactNode }) {
  return (
    <div className="caps">
      <span>{children}</span>
      {end !== undefined && <span className="caps-end">{end}</span>}
    </div>
  );
}

/** A part of a side panel: small heading, a word at its right, then the content. */
export function Section({ title, end, children }: { title?: ReactNode; end?: ReactNode; children: ReactNode }) {
  return (
    <section className="sect">
      {title !== undefined && <Caps end={end}>{title}</Caps>}
      {children}
    </section>
  );
}

export function Panel({ title, count, sub, end, children, className, label }: { title?: ReactNode; count?: ReactNode; sub?: ReactNode; end?: ReactNode; children: ReactNode; className?: string; label?: string }) {
  return (
    <section className={`panel${className ? ` ${className}` : ""}`} aria-label={label}>
      {title !== undefined && (
        <div className="ph">
          <h2>{title}</h2>
          {count !== undefined && <span className="cnt">{count}</span>}
          {sub !== undefined && <span className="sub">{sub}</span>}
          {end !== undefined && <span className="end">{end}</span>}
        </div>
      )}
      {children}
    </section>
  );
}

/** Places taken of places there are; `working` of them are open at this moment. */
export function LoadMeter({ taken, places, working = 0 }: { taken: number; places: number; working?: number }) {
  const shown = Math.min(Math.max(places, taken), 20);
  return (
    <span className="load" role="img" aria-label={`${taken} of ${places}`}>
      {Array.from({ length: shown }, (_, index) => (
        <i key={index} className={index < working ? "w" : index < taken ? "u" : undefined} />
      ))}
    </span>
  );
}

export function Avatar({ name, small, on }: { name: string; small?: boolean; on?: boolean }) {
  const words = name.replace(/^(Dr|Prof)\.?\s+/i, "").split(/[\s]+/).filter(Boolean);
  const initials = ((words[0]?.[0] ?? "") + (words.length > 1 ? (words[words.length - 1]?.[0] ?? "") : "")).toUpperCase();
  return (
    <span className={`ava${small ? " s" : ""}`} aria-hidden="true">
      {initials}
      {on && <span className="on" />}
    </span>
  );
}

export interface Reason {
  outcome: "pass" | "fail" | "unknown";
  text: string;
  /** Where that is known from; quieter. */
  source?: string | null;
}

const REASONS: Record<Reason["outcome"], [string | undefined, IconName, string]> = {
  pass: [undefined, "check", "yes: "],
  fail: ["no", "cross", "no: "],
  unknown: ["ask", "ask", "unknown: "],
};

/** Why, and why not: one line a reason. Takes the `Check`s of an eligibility as they come. */
export function Why({ reasons }: { reasons: readonly Reason[] }) {
  return (
    <ul className="why">
      {reasons.map((reason) => {
        const [className, icon, word] = REASONS[reason.outcome];
        return (
          <li key={`${reason.outcome} ${reason.text}`} className={className}>
            <Icon name={icon} size={14} />
            <span>
              <span className="sr">{word}</span>
              {reason.text} {reason.source && <span className="q">{reason.source}</span>}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** Label and value pairs, in two columns. */
export function Facts({ facts }: { facts: readonly (readonly [ReactNode, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts.map(([term, value], index) => (
        <div key={index} style={{ display: "contents" }}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
