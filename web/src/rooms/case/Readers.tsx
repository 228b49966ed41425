import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, url } from "../../api/client";
import type { CaseDetail, CaseReaders } from "../../api/types";
import { Chip, clock, clockSeconds, Empty, ErrorState, Icon, type Place, Segments, SkeletonRows, VerdictMatrix, verdictsOf } from "../../kit";

type Occasion = "assigned" | "opened" | "now";

/** Readers against rules, with the facts of the moment that is chosen. */
export function Readers({ detail, place }: { detail: CaseDetail; place: Place }) {
  const assigned = last(detail.reads.map((read) => read.assigned_at));
  const opened = last(detail.reads.map((read) => read.opened_at));
  const [chosen, setChosen] = useState<Occasion | null>(null);
  const occasion: Occasion = chosen ?? (assigned ? "assigned" : "now");
  const found = useQuery({
    queryKey: ["readers", detail.id, occasion],
    queryFn: ({ signal }) => api.get<CaseReaders>(`${url`/api/cases/${detail.id}/readers`}?at=${occasion}`, signal),
    placeholderData: (before) => before,
    meta: occasion === "now" ? { topics: ["case", "shift"] } : undefined,
  });
  const options: { id: Occasion; label: string }[] = [
    ...(assigned ? [{ id: "assigned" as const, label: `${clock(assigned, place.zone)} assigned` }] : []),
    ...(opened ? [{ id: "opened" as const, label: `${clock(opened, place.zone)} opened` }] : []),
    { id: "now", label: "Now" },
  ];
  const rows = [...(found.data?.readers ?? [])].sort((a, b) => Number(b.is_assigned) - Number(a.is_assigned) || Number(b.eligible) - Number(a.eligible) || a.checks.filter((check) => check.outcome !== "pass").length - b.checks.filter((check) => check.outcome !== "pass").length);
  return (
    <>
      <div className="rd-h">
        <span className="q sm">
          {found.data?.at && (
            <>
              with the facts of <span className="num">{clockSeconds(found.data.at, place.zone)}</span> {place.label}
            </>
          )}
        </span>
        <span className="grow" />
        <Segments<Occasion> small label="Facts of which moment" value={occasion} onChange={setChosen} options={options} />
      </div>
      {found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : found.isPending ? (
        <SkeletonRows rows={8} />
      ) : rows.length === 0 ? (
        <Empty title="No reader was looked at" icon="people">
          {occasion === "opened" ? "The rules run again when a reader opens the case; their answer appears here." : "No reader is engaged by a group that reads for this client. An agreement and an engagement under Administration make readers appear here."}
        </Empty>
      ) : (
        <>
          {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard */}
          <div className={`scroll${found.isPlaceholderData ? " stale" : ""}`} tabIndex={0} role="region" aria-label="Who could read it">
            <VerdictMatrix rows={rows.map((row) => ({ id: row.reader_id, name: row.name, hub: row.hub ?? undefined, verdicts: verdictsOf(row.checks), why: row.why, chosen: row.is_assigned }))} />
          </div>
          <div className="replay">
            <Icon name={occasion === "now" ? "info" : "undo"} size={14} />
            <span>{summary(found.data)}</span>
            {rows.every((row) => !row.eligible) && <Chip tone="amber">nobody may read it</Chip>}
          </div>
        </>
      )}
    </>
  );
}

function last(instants: readonly (string | null)[]): string | null {
  return instants.reduce<string | null>((latest, one) => (one && (!latest || one > latest) ? one : latest), null);
}

const EXCLUDED: Record<string, string> = { engagement: "no engagement", licence: "licence", privilege: "privilege", subspecialty: "subspecialty", language: "language", place: "place", shift: "shift", capacity: "a full list" };

/** "2 eligible. Excluded: 5 by licence, 3 by privilege" */
export function summary(readers: CaseReaders): string {
  const counts = new Map<string, number>();
  for (const reader of readers.readers) {
    const rules = new Set(reader.checks.filter((check) => check.outcome !== "pass").map((check) => check.rule));
    for (const rule of rules) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  }
  const excluded = [...counts].sort((a, b) => b[1] - a[1]).map(([rule, count]) => `${count} by ${EXCLUDED[rule] ?? rule}`);
  const eligible = readers.readers.filter((reader) => reader.eligible).length;
  return `${eligible} of ${readers.readers.length} eligible.${excluded.length ? ` Excluded: ${excluded.join(", ")}.` : ""}`;
}
