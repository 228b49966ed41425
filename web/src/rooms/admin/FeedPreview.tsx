import { Textarea } from "@mantine/core";
import { useState } from "react";
import { api, url } from "../../api/client";
import type { MessagePreview, SeenValue } from "../../api/types";
import { Button, Chip, Empty, Note, Panel, useKeys } from "../../kit";
import { effectWords, meaningWords } from "./feeds";
import type { Endpoint } from "./types";

/** What a message would become if this feed sent it. The text goes to the server and back; nothing of it is kept. */
export function FeedPreview({ feed }: { feed: Endpoint }) {
  const [text, setText] = useState("");
  const [found, setFound] = useState<MessagePreview | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const go = async () => {
    if (!text.trim() || busy) return;
    setBusy(true);
    setFailure(null);
    try {
      setFound(await api.post<MessagePreview>(url`/api/admin/endpoints/${feed.id}/preview`, { text }));
    } catch (error) {
      setFound(null);
      setFailure(error instanceof Error ? error.message : "It was not tried");
    } finally {
      setBusy(false);
    }
  };
  useKeys("Feed", [{ id: "feed.try", keys: ["Ctrl+Enter"], label: "Try the message", inFields: true, run: () => void go() }]);
  return (
    <div className="fd-y">
      <div className="fd-in">
        <Textarea label="The message, one segment a line" description="Nothing of it is kept: it is tried and taken back" spellCheck={false} autoComplete="off" rows={12} classNames={{ input: "mono" }} value={text} onChange={(event) => setText(event.currentTarget.value)} />
        <div className="row">
          <Button look="primary" keyHint="Ctrl+Enter" busy={busy} disabled={!text.trim()} onClick={() => void go()}>
            Try it
          </Button>
          <Button
            disabled={!text && !found}
            onClick={() => {
              setText("");
              setFound(null);
              setFailure(null);
            }}
          >
            Clear
          </Button>
        </div>
        {failure && (
          <Note tone="red" role="alert">
            {failure}
          </Note>
        )}
      </div>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard */}
      <div className="scroll fd-out" tabIndex={0} role="region" aria-label="What it would become">
        {found ? (
          <Become found={found} />
        ) : (
          <Empty title="Paste a message of this sender" icon="document">
            Each value shows where it was found and what it means here, then the answer that the sender would get, and what would be made or changed.
          </Empty>
        )}
      </div>
    </div>
  );
}

function Become({ found }: { found: MessagePreview }) {
  const effects = effectWords(found.effects);
  return (
    <>
      <div className="fd-sum" role="status">
        <div className="row">
          <b className="num">{found.message_type ?? "No HL7 message"}</b>
          {found.control_id && <span className="q num">{found.control_id}</span>}
          {found.version && <span className="q">version {found.version}</span>}
          {found.answers.map((answer) => (
            <Chip key={answer.kind} tone={answer.code.endsWith("A") ? "green" : "red"}>
              {`${answer.code}${found.answers.length > 1 ? (answer.kind === "accept" ? " at once" : " when processed") : ""}`}
            </Chip>
          ))}
        </div>
        {found.refused && (
          <Note tone="red">
            {found.refused.place && <b className="num">{found.refused.place} </b>}
            {found.refused.words} <span className="q">(0357: {found.refused.code})</span>
          </Note>
        )}
        {found.warnings.map((warning) => (
          <Note key={warning} tone="amber">
            {warning}
          </Note>
        ))}
        {!found.refused && found.answers.length > 0 && (
          <ul className="fd-e">
            {effects.length === 0 && <li>Nothing would change</li>}
            {effects.map((words) => (
              <li key={words}>{words}</li>
            ))}
          </ul>
        )}
      </div>
      {found.patient.length > 0 && (
        <Panel title="Patient">
          <Values values={found.patient} />
        </Panel>
      )}
      {found.orders.map((order, index) => (
        <Panel key={index} title={found.orders.length > 1 ? `Order ${index + 1}` : "Order"} sub={[order.control && `ORC-1 ${order.control}`, order.status && `ORC-5 ${order.status}`].filter(Boolean).join(", ")}>
          <Values values={order.values} />
        </Panel>
      ))}
      {found.answers.map((answer) => (
        <Panel key={answer.kind} title="Answer" sub={found.answers.length > 1 ? (answer.kind === "accept" ? "at once" : "when it is processed") : undefined}>
          <pre className="mono fd-a">{answer.text}</pre>
        </Panel>
      ))}
    </>
  );
}

function Values({ values }: { values: readonly SeenValue[] }) {
  return (
    <table className="fd-t v">
      <thead>
        <tr>
          <th>Value</th>
          <th>Became</th>
          <th>From</th>
          <th>Looked at</th>
        </tr>
      </thead>
      <tbody>
        {values.map((value) => (
          <tr key={value.name}>
            <th scope="row">{value.label}</th>
            <td>
              {value.value ?? (value.is_null ? <span className="amber">to be deleted</span> : <span className="q">nothing</span>)}
              {value.meaning && value.meaning !== value.value && <div className="q sm">{meaningWords(value)}</div>}
              {value.warning && <div className="red sm">{value.warning}</div>}
            </td>
            <td className="num">{value.path ?? <span className="q">–</span>}</td>
            <td className="q">
              {value.tried.map((one) => (
                <span key={one.path} className="fd-l" title={one.value ?? (one.is_null ? "to be deleted" : "nothing there")}>
                  <span className={one.value ? "num" : "num none"}>{one.path}</span>
                </span>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
