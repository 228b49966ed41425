import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { api, queryClient, url } from "../../api/client";
import { useSession } from "../../api/session";
import type { MessageFull, MessageSegment } from "../../api/types";
import { Button, Chip, dayClock, ErrorState, Facts, Panel, ReasonDialog, Segments, SkeletonText, StateDot, toast, useKeys } from "../../kit";
import { bytes, fateOf, shortened } from "./words";

/** A message field by field. Patient data is masked until somebody whose role may see it asks; that is recorded. */
export function Detail({ id, onClose, zone, label }: { id: string; onClose: () => void; zone: string; label: string }) {
  const session = useSession();
  const navigate = useNavigate();
  // What is looked for stays while one goes from a message to another.
  const { search } = useLocation();
  const [clear, setClear] = useState(false);
  const [form, setForm] = useState<"lines" | "fields">("lines");
  const [replaying, setReplaying] = useState(false);
  const found = useQuery({
    queryKey: ["message", id, clear],
    queryFn: ({ signal }) => api.get<MessageFull>(`${url`/api/messages/${id}`}${clear ? "?clear=true" : ""}`, signal),
    placeholderData: (before) => before,
    staleTime: Infinity,
  });
  const one = found.data;
  const mayReplay = one?.direction === "in" && one.fate !== "received" && one.endpoint !== null && session.roles.some((role) => role.role === "coordinator" || role.role === "administrator");
  const take = (part: "message" | "answer") => {
    const link = document.createElement("a");
    link.href = url`/api/messages/${id}/file?part=${part}`;
    link.download = "";
    link.click();
  };
  useKeys("Messages", [
    { id: "messages.unmask", keys: ["u"], label: "Show or mask patient data", when: () => one?.may_unmask === true, run: () => setClear(!clear) },
    { id: "messages.fields", keys: ["v"], label: "Lines, or fields with their names", run: () => setForm(form === "lines" ? "fields" : "lines") },
    { id: "messages.replay", keys: ["r"], label: "Process it again", when: () => mayReplay, run: () => setReplaying(true) },
  ]);
  return (
    <Panel
      className="clip"
      title={one?.message_type ?? "Message"}
      sub={one?.control_id}
      end={
        <>
          {mayReplay && (
            <Button size="sm" keyHint="r" onClick={() => setReplaying(true)}>
              Process again
            </Button>
          )}
          {one?.may_unmask && (
            <Button size="sm" onClick={() => take("message")} title="Exactly the bytes that were on the wire; recorded">
              Download
            </Button>
          )}
          <Button size="sm" look="quiet" keyHint="Escape" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      {found.isError ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : !one ? (
        <div style={{ padding: 12 }}>
          <SkeletonText lines={8} />
        </div>
      ) : (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reached by the keyboard
        <div className="scroll mg-d" tabIndex={0} role="region" aria-label="Message">
          <Facts
            facts={[
              [one.direction === "in" ? "Came" : "Made", `${dayClock(one.received_at, zone)} ${label}, ${dayClock(one.received_at, "UTC")} UTC`],
              ["Endpoint", `${one.endpoint ?? "unknown sender"}${one.peer ? `, ${one.peer}` : ""}`],
              ["Fate", `${fateOf(one.fate)[1]}${one.acknowledgement ? `, ${one.acknowledgement}` : ""}`],
              ...(one.fault ? [["Wrong", <span key="fault" className="amber">{one.fault}</span>] as const] : []),
              ["Size", bytes(one.size)],
              ...(one.order_id ? [["Order", <Link key="order" className="lnk" to={`/messages?order=${one.order_id}`}>all messages of this order</Link>] as const] : []),
              ...(one.replay_of ? [["Again", <Link key="first" className="lnk" to={{ pathname: `/messages/${one.replay_of}`, search }}>the message that was processed again by this one</Link>] as const] : []),
              ...(one.replays.length > 0 ? [["Replays", <Replays key="replays" lines={one.replays} zone={zone} search={search} />] as const] : []),
            ]}
          />
          <div className="row" style={{ gap: 8 }}>
            <Segments<"lines" | "fields">
              small
              label="How it is shown"
              value={form}
              onChange={setForm}
              options={[
                { id: "lines", label: "Lines" },
                { id: "fields", label: "Fields" },
              ]}
            />
            <span className="grow" />
            {one.is_masked ? <Chip tone="outline">patient data masked</Chip> : <Chip tone="amber">patient data shown; recorded</Chip>}
            {one.may_unmask && (
              <Button size="sm" keyHint="u" busy={found.isFetching} onClick={() => setClear(!clear)}>
                {one.is_masked ? "Show patient data" : "Mask"}
              </Button>
            )}
          </div>
          <Raw title={one.direction === "in" ? "What came" : "What was sent"} segments={one.segments} form={form} />
          {one.answer ? (
            <Raw title="The answer" segments={one.answer} form={form} />
          ) : (
            <div>
              <Chip tone="amber">no answer</Chip>
            </div>
          )}
        </div>
      )}
      {replaying && (
        <ReasonDialog
          title="Process this message again?"
          confirm="Process again"
          usual={["The mapping was put right", "Its order came later", "It was held and is right"]}
          onClose={() => setReplaying(false)}
          onReason={async (reason) => {
            const made = await api.post<{ id: string; fate: string; fault: string | null }>(url`/api/messages/${id}/replay`, { reason });
            void queryClient.invalidateQueries({ queryKey: ["messages"] });
            void queryClient.invalidateQueries({ queryKey: ["message", id] });
            toast({ tone: made.fate === "rejected" ? "warn" : "done", text: made.fate === "rejected" ? `Refused again: ${made.fault ?? ""}` : "Processed again" });
            void navigate({ pathname: `/messages/${made.id}`, search }, { replace: true });
          }}
        >
          <p>It is taken as it came, by the same feed, as a new line of the log. Its sender is not answered again. What it says takes effect, also where it had effect before.</p>
        </ReasonDialog>
      )}
    </Panel>
  );
}

function Replays({ lines, zone, search }: { lines: MessageFull["replays"]; zone: string; search: string }) {
  return (
    <>
      {lines.map((line) => (
        <span key={line.id} className="row" style={{ gap: 8 }}>
          <Link className="lnk" to={{ pathname: `/messages/${line.id}`, search }}>
            {dayClock(line.received_at, zone)}
          </Link>
          <StateDot state={fateOf(line.fate)[0]}>{fateOf(line.fate)[1]}</StateDot>
        </span>
      ))}
    </>
  );
}

function Raw({ title, segments, form }: { title: string; segments: MessageSegment[]; form: "lines" | "fields" }) {
  return (
    <section>
      <h3 className="caps">{title}</h3>
      {form === "lines" ? (
        <ol className="segs">
          {segments.map((segment, index) => (
            <li key={index}>
              <b title={segment.title ?? undefined}>{segment.name}</b>
              {shortened(segment.name ? segment.line.slice(3) : segment.line)}
            </li>
          ))}
        </ol>
      ) : (
        segments.map((segment, index) => <Fields key={index} segment={segment} />)
      )}
    </section>
  );
}

function Fields({ segment }: { segment: MessageSegment }) {
  if (!segment.name) return <p className="segs">{shortened(segment.line)}</p>;
  return (
    <table className="mg-f">
      <caption>
        <b>{segment.name}</b> {segment.title ?? "not known here"}
      </caption>
      <tbody>
        {segment.fields.map((field) => (
          <tr key={field.number}>
            <th scope="row" className="num">{`${segment.name}-${field.number}`}</th>
            <td className="q">{field.name ?? ""}</td>
            <td className={field.is_masked ? "mono faint" : "mono"}>{shortened(field.value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
