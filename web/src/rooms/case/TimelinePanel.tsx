import { useState } from "react";
import type { CaseDetail, Timeline } from "../../api/types";
import { csv, clockSeconds, day, download, exact, IconButton, IntervalBar, MINUTE, ms, Panel, type Place, Segments, useNow } from "../../kit";
import { contents, marksOf, promiseDone, toneOfInterval } from "./words";

type From = "order" | "clock";

export function TimelinePanel({ detail, timeline, places }: { detail: CaseDetail; timeline: Timeline; places: [Place, ...Place[]] }) {
  const now = useNow(MINUTE);
  const [from, setFrom] = useState<From>("order");
  const start = from === "clock" && timeline.promise ? ms(timeline.promise.from) : -Infinity;
  const all = timeline.intervals.filter((one) => ms(one.until) > ms(one.from));
  const intervals = all.filter((one) => ms(one.until) > start).map((one) => ({ from: Math.max(ms(one.from), start), to: ms(one.until), label: one.label, tone: toneOfInterval(one.kind) }));
  const steps = timeline.steps.filter((step) => ms(step.at) >= start);
  const first = steps[0];
  const last = steps[steps.length - 1];
  const whole = Math.max(first && last ? ms(last.at) - ms(first.at) : 0, timeline.promise ? ms(timeline.promise.due) - ms(timeline.promise.from) : 0);
  const done = promiseDone(detail);
  const two = places[1];
  return (
    <Panel
      className="tl clip"
      title="Timeline"
      sub={`${contents(detail)}${detail.group ? `, read by ${detail.group.name}` : ""}`}
      end={
        <>
          {two && (
            <span className="sm q no12">
              {places[0].label} above, {two.label} below
            </span>
          )}
          {timeline.promise && (
            <Segments<From>
              small
              label="Where the bar begins"
              value={from}
              onChange={setFrom}
              options={[
                { id: "order", label: "From order" },
                { id: "clock", label: "From clock start" },
              ]}
            />
          )}
          <IconButton size="sm" icon="download" label="Download the steps as CSV" onClick={() => save(detail, timeline, places)} />
        </>
      }
    >
      <div className="tl-b">
        {steps.length > 0 ? (
          <IntervalBar
            intervals={intervals}
            marks={marksOf(steps, whole / 60)}
            promise={timeline.promise ? { start: timeline.promise.from, due: timeline.promise.due, done } : null}
            places={places}
            label={`Timeline of ${steps.length} steps${done ? "" : `, ${exact(now - ms(steps[0]?.at ?? now))} so far`}; the list of steps below has the same data`}
          />
        ) : (
          <p className="q">Nothing has happened yet. Steps appear here as they are recorded.</p>
        )}
      </div>
    </Panel>
  );
}

/** The file's name holds the case's id, never the patient. */
function save(detail: CaseDetail, timeline: Timeline, places: readonly Place[]): void {
  const local = (at: string, place: Place) => `${day(at, place.zone)} ${clockSeconds(at, place.zone)}`;
  download(
    `case-${detail.id}-timeline.csv`,
    csv([
      ["at (UTC)", ...places.map((place) => `${place.label} (${place.zone})`), "step", "action", "by", "outcome", "seconds since the step before"],
      ...timeline.steps.map((step) => [step.at, ...places.map((place) => local(step.at, place)), step.text, step.action, step.actor, step.outcome, step.interval_seconds === null ? null : Math.round(step.interval_seconds * 1000) / 1000]),
    ]),
  );
}
