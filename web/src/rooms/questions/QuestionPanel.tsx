import { useState } from "react";
import { api, url } from "../../api/client";
import type { Question, SubjectKind } from "../../api/types";
import { Button, Chip, dayClock, ErrorState, near, Note, type Place, SkeletonText, toast, useKeys, useNow } from "../../kit";
import { askAgain, pathOf, useThread } from "./data";
import { SayBox } from "./SayBox";
import { USUAL_ANSWERS, usualQuestions } from "./words";
import "./questions.css";

export interface QuestionPanelProps {
  subject: SubjectKind;
  id: string;
  /** Where times are told while the server has not said which site is asked. */
  site: Place;
  /** The key "q" asks, under this heading of the list of keys; left out in dialogs. */
  keyScope?: string;
  usual?: readonly string[];
}

/** What was asked of the site about one thing and what it answered, and a way to ask. Coordinators ask, the site's people answer. */
export function QuestionPanel({ subject, id, site, keyScope, usual = usualQuestions(subject) }: QuestionPanelProps) {
  const found = useThread(subject, id);
  const [asking, setAsking] = useState(false);
  const thread = found.data;
  const place: Place = thread?.facility ? { zone: thread.facility.time_zone, label: thread.facility.short_name } : site;
  const mayAsk = thread?.may_ask ?? false;
  useKeys(keyScope ?? "Questions", [{ id: "questions.ask", keys: ["q"], label: "Ask the site", when: () => keyScope !== undefined && mayAsk && !asking, run: () => setAsking(true) }]);
  const ask = async (text: string) => {
    await api.post(pathOf(subject, id), { text });
    setAsking(false);
    toast({ tone: "done", text: `${place.label} is asked. Its answer stands here as soon as it comes` });
    await askAgain();
  };
  return (
    <section className="qn" aria-label="Questions to the site">
      <div className="row sp">
        <h3 className="caps">Questions to {thread?.facility ? place.label : "the site"}</h3>
        {mayAsk && !asking && (
          <Button size="sm" keyHint={keyScope ? "q" : undefined} onClick={() => setAsking(true)}>
            Ask the site
          </Button>
        )}
      </div>
      {found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : !thread ? (
        <SkeletonText lines={2} />
      ) : (
        <>
          {thread.questions.length > 0 ? (
            <ol className="qn-l" aria-live="polite">
              {thread.questions.map((one) => (
                <Asked key={one.id} question={one} place={place} />
              ))}
            </ol>
          ) : (
            !asking && <p className="q sm">{nothing(mayAsk, thread.facility !== null)}</p>
          )}
          {asking && <SayBox label={`Your question to ${place.label}`} button="Ask" usual={usual} focus onBack={() => setAsking(false)} onSay={ask} />}
        </>
      )}
    </section>
  );
}

function nothing(mayAsk: boolean, isKnown: boolean): string {
  if (!isKnown) return "It isn't known which site sent this, so nobody can be asked.";
  return mayAsk ? "Nothing was asked yet. Who knows whose images these are is at the site." : "Nothing was asked.";
}

const STATES: Record<Question["state"], ["plain" | "outline" | "green" | "amber", string]> = {
  open: ["outline", "waits for an answer"],
  answered: ["green", "answered"],
  closed: ["plain", "closed"],
  withdrawn: ["plain", "taken back"],
};

function Asked({ question, place }: { question: Question; place: Place }) {
  const now = useNow();
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);
  const [adding, setAdding] = useState(false);
  const isOpen = question.state === "open";
  const [tone, words] = isOpen && question.is_late ? (["amber", "no answer yet"] as const) : STATES[question.state];
  const step = async (name: "withdraw" | "close", done: string) => {
    setBusy(true);
    try {
      await api.post(url`/api/questions/${question.id}/${name}`);
      toast({ tone: "done", text: done });
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "It was not done" });
    } finally {
      setBusy(false);
      setSure(false);
      await askAgain();
    }
  };
  const answer = async (text: string) => {
    await api.post(url`/api/questions/${question.id}/answers`, { text });
    setAdding(false);
    toast({ tone: "done", text: "Answered. Who asked sees it now" });
    await askAgain();
  };
  const at = (instant: string) => (
    <span className="num" title={`${dayClock(instant, "UTC")} UTC`}>
      {near(instant, place.zone, now)} {place.label}
    </span>
  );
  return (
    <li>
      <div className="row sp qn-q">
        <b className="grow">{question.text}</b>
        <Chip tone={tone}>{words}</Chip>
      </div>
      <div className="q sm">
        {question.asked_by}, {at(question.asked_at)}
      </div>
      {question.answers.map((one) => (
        <div key={one.id} className="qn-a">
          <div>{one.text}</div>
          <div className="q sm">
            {one.answered_by}, {at(one.answered_at)}
          </div>
        </div>
      ))}
      {question.ended_at && (
        <div className="q sm">
          {question.state === "withdrawn" ? "Taken back" : "Closed"} {question.ended_by ? `by ${question.ended_by}` : "since what it was about is settled"}, {at(question.ended_at)}
        </div>
      )}
      {sure ? (
        <Note
          tone="amber"
          role="alert"
          action={
            <span className="row">
              <Button size="sm" onClick={() => setSure(false)}>
                Keep it
              </Button>
              <Button size="sm" look="danger" busy={busy} onClick={() => void step("withdraw", "The question is taken back")}>
                Take it back
              </Button>
            </span>
          }
        >
          The site is not asked any more. What you asked stays on record.
        </Note>
      ) : (
        (question.may_withdraw || question.may_close || (question.may_answer && !isOpen && !adding)) && (
          <div className="row qn-end">
            {question.may_withdraw && (
              <Button size="sm" look="quiet" onClick={() => setSure(true)}>
                Take back
              </Button>
            )}
            {question.may_close && (
              <Button size="sm" look="quiet" icon="check" busy={busy} onClick={() => void step("close", "Closed. Question and answer stay on record")}>
                Close the question
              </Button>
            )}
            {question.may_answer && !isOpen && !adding && (
              <Button size="sm" look="quiet" onClick={() => setAdding(true)}>
                Add to the answer
              </Button>
            )}
          </div>
        )
      )}
      {question.may_answer && (isOpen || adding) && <SayBox label="Your answer" button="Answer" usual={USUAL_ANSWERS} focus={adding} onBack={adding ? () => setAdding(false) : undefined} onSay={answer} />}
    </li>
  );
}
