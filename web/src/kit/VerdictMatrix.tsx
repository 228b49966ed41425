import { Avatar } from "./bits";
import { Icon } from "./Icon";

export type Verdict = "pass" | "fail" | "unknown";

export interface VerdictRow {
  id: string;
  name: string;
  hub?: string;
  /** By rule id; a rule that was not asked is left out. */
  verdicts: Record<string, Verdict | undefined>;
  /** In words: which rule excludes, or why this reader was chosen. */
  why: string;
  chosen?: boolean;
}

export interface VerdictRule {
  id: string;
  label: string;
}

/** The hard rules in the order in which they are asked. */
export const VERDICT_RULES: readonly VerdictRule[] = [
  { id: "engagement", label: "Group" },
  { id: "licence", label: "Licence" },
  { id: "privilege", label: "Privil." },
  { id: "subspecialty", label: "Subsp." },
  { id: "language", label: "Lang." },
  { id: "place", label: "Place" },
  { id: "shift", label: "Shift" },
  { id: "capacity", label: "Full" },
];

/** Several checks of one rule are as bad as the worst of them. */
export function verdictsOf(checks: readonly { rule: string; outcome: Verdict }[]): Record<string, Verdict | undefined> {
  const worst: Record<string, Verdict | undefined> = {};
  for (const check of checks) {
    const known = worst[check.rule];
    if (!known || check.outcome === "fail" || (check.outcome === "unknown" && known === "pass")) worst[check.rule] = check.outcome;
  }
  return worst;
}

/** Readers against rules: a cross says which rule excludes, the last column why in words; an unknown blocks and asks. */
export function VerdictMatrix({ rules = VERDICT_RULES, rows, label = "Who could read it, and why not each other reader" }: { rules?: readonly VerdictRule[]; rows: readonly VerdictRow[]; label?: string }) {
  return (
    <table className="matrix" aria-label={label}>
      <thead>
        <tr>
          <th style={{ width: 172 }}>Reader</th>
          <th style={{ width: 62 }} className="no12">
            Hub
          </th>
          {rules.map((rule) => (
            <th key={rule.id} className="c" style={{ width: 44 }}>
              {rule.label}
            </th>
          ))}
          <th>
            <span style={{ paddingLeft: 8 }}>Why</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.id} className={row.chosen ? "sel" : undefined}>
            <td title={row.name}>
              <span className="row">
                <Avatar name={row.name} small />
                <span className="m cut">{row.name.replace(/^Dr\.?\s+/, "")}</span>
              </span>
            </td>
            <td className="q no12">{row.hub}</td>
            {rules.map((rule) => (
              <td key={rule.id} className="c">
                <Mark verdict={row.verdicts[rule.id]} rule={rule.label} />
              </td>
            ))}
            <td>
              <span className={`wy${row.chosen ? "" : " q"}`}>{row.why}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const MARKS = {
  pass: ["", "check", "passes"],
  fail: [" no", "cross", "excludes"],
  unknown: [" un", "ask", "unknown: blocks and asks"],
} as const;

function Mark({ verdict, rule }: { verdict: Verdict | undefined; rule: string }) {
  if (!verdict) return <span className="f">·</span>;
  const [className, icon, word] = MARKS[verdict];
  return (
    <span className={`ck${className}`} role="img" aria-label={`${rule} ${word}`} title={`${rule} ${word}`}>
      <Icon name={icon} size={14} />
    </span>
  );
}
