import type { Timeline } from "../../api/types";
import { Chip, clockSeconds, dayClock, inPlaces, Panel, type Place } from "../../kit";
import { sinceBefore } from "./words";

/** Every step with its time in the site's and the reader's zone, and the interval before it. */
export function Steps({ timeline, places }: { timeline: Timeline; places: [Place, ...Place[]] }) {
  const two = places[1];
  return (
    <Panel className="sp2 clip" title="Steps" count={timeline.steps.length} end={<span className="sm q no12">interval from the step before</span>}>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard */}
      <div className="scroll" tabIndex={0} role="region" aria-label="Steps">
        <table aria-label="Steps" className="inset">
          <thead>
            <tr>
              <th>Step</th>
              <th style={{ width: 74 }}>{places[0].label}</th>
              {two && (
                <th className="no12" style={{ width: 74 }}>
                  {two.label}
                </th>
              )}
              <th className="r" style={{ width: 76 }}>
                Interval
              </th>
              <th className="wide" style={{ width: 200 }}>
                By
              </th>
            </tr>
          </thead>
          <tbody>
            {timeline.steps.map((step, index) => (
              <tr key={`${step.at}${step.action}${index}`}>
                <td className={`wrap m${step.outcome !== "done" ? " amber" : ""}`} title={step.actor ? `By ${step.actor}` : undefined}>
                  {step.text}
                </td>
                <td className="num" title={dayClock(step.at, places[0].zone)}>
                  {clockSeconds(step.at, places[0].zone)}
                </td>
                {two && (
                  <td className="num q no12" title={dayClock(step.at, two.zone)}>
                    {clockSeconds(step.at, two.zone)}
                  </td>
                )}
                <td className="num r">{sinceBefore(step.interval_seconds)}</td>
                <td className="q wide">{step.actor}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

/** Who saw and did what, refusals included, the newest first. */
export function Seen({ timeline, places }: { timeline: Timeline; places: [Place, ...Place[]] }) {
  const seen = [...timeline.seen].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  return (
    <Panel
      className="au clip"
      title="Seen and done"
      count={seen.length}
      end={
        timeline.sealed ? (
          <Chip tone="outline" icon="lock" title="Every line is in the signed log; a changed or missing one would show">
            sealed
          </Chip>
        ) : (
          <Chip tone="outline" title="The newest lines are sealed within seconds">
            sealing
          </Chip>
        )
      }
    >
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard */}
      <ul className="scroll aul" tabIndex={0} aria-label="Seen and done">
        {seen.map((line, index) => (
          <li key={`${line.at}${index}`} className={line.outcome !== "done" ? "ref" : undefined}>
            <div className="row sp">
              <span className="grow">{line.actor ?? "the platform"}</span>
              <span className="num q sm" title={inPlaces(line.at, places)}>
                {clockSeconds(line.at, places[0].zone)}
              </span>
            </div>
            <div className="q sm what">{line.outcome !== "done" && !/refus|fail/i.test(line.text) ? `${line.outcome}: ${line.text}` : line.text}</div>
          </li>
        ))}
        {seen.length === 0 && <li className="q">Nobody has looked at it yet.</li>}
      </ul>
      <div className="seal">
        <span>
          Tree head <span className="num">{timeline.tree_size.toLocaleString("en-GB").replaceAll(",", " ")}</span>
        </span>
        <span className="no12">{places[0].label} time</span>
      </div>
    </Panel>
  );
}
