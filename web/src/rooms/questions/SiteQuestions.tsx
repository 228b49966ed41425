import { useRef, useState } from "react";
import { Link } from "react-router";
import { api, url } from "../../api/client";
import type { QuestionLine } from "../../api/types";
import { Button, Chip, inPlaces, Kbd, near, Note, Panel, toast, useKeys, useNow } from "../../kit";
import { askAgain, useQuestions } from "./data";
import { SayBox } from "./SayBox";
import { placeOf, toAnswer, USUAL_ANSWERS } from "./words";
import "./questions.css";

/** What coordinators ask the site's people, on top of their page while anything waits for an answer; the first one is open. */
export function SiteQuestions() {
  const found = useQuestions();
  const [chosen, setChosen] = useState<string | null>(null);
  const list = useRef<HTMLOListElement>(null);
  const lines = toAnswer(found.data ?? []);
  useKeys("Site", [{ id: "site.answer", keys: ["r"], label: "Answer the reading desk", when: () => lines.length > 0, run: () => list.current?.querySelector("textarea")?.focus() }]);
  if (found.isError && !found.data)
    return (
      <Note
        tone="amber"
        role="alert"
        action={
          <Button size="sm" onClick={() => void found.refetch()}>
            Try again
          </Button>
        }
      >
        Whether the reading desk asks you something could not be seen.
      </Note>
    );
  if (lines.length === 0) return null;
  const shown = lines.some((line) => line.id === chosen) ? chosen : lines[0]?.id;
  return (
    <Panel className="clip qs" title="The reading desk asks you" count={lines.length} sub="what it is about waits for you" end={<span className="q sm">to answer <Kbd k="r" /></span>}>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard */}
      <div className="scroll qs-l" tabIndex={0} role="region" aria-label="Questions to you">
        <ol ref={list}>
          {lines.map((line) => (
            <Line key={line.id} line={line} open={line.id === shown} onOpen={() => setChosen(line.id)} />
          ))}
        </ol>
      </div>
    </Panel>
  );
}

function Line({ line, open, onOpen }: { line: QuestionLine; open: boolean; onOpen: () => void }) {
  const now = useNow();
  const site = { zone: line.facility.time_zone, label: line.facility.short_name };
  const answer = async (text: string) => {
    await api.post(url`/api/questions/${line.id}/answers`, { text });
    toast({ tone: "done", text: "Answered. Who asked sees it now" });
    await askAgain();
  };
  return (
    <li aria-label={line.text}>
      <div className="qs-q">
        <div className="row">
          <b>{line.text}</b>
          {line.is_late && <Chip tone="amber">waits long</Chip>}
        </div>
        <div className="q sm">
          <Link to={placeOf(line)}>{line.about}</Link>. {line.asked_by},{" "}
          <span className="num" title={inPlaces(line.asked_at, [site, { zone: "UTC", label: "UTC" }])}>
            {near(line.asked_at, site.zone, now)} {site.label}
          </span>
        </div>
      </div>
      {open ? (
        <SayBox label="Your answer" button="Answer" primary usual={USUAL_ANSWERS} onSay={answer} />
      ) : (
        <Button size="sm" onClick={onOpen}>
          Answer
        </Button>
      )}
    </li>
  );
}
