import { useState } from "react";
import { Link } from "react-router";
import { api, queryClient, url } from "../../api/client";
import type { AlarmBrief } from "../../api/types";
import { Button, Empty, Icon, inPlaces, MINUTE, ms, near, Panel, type Place, PriorityMark, priorityRank, ReasonDialog, span, toast, useNow } from "../../kit";
import { QuestionChip } from "../questions/QuestionChip";
import { alarmName, alarmPlace, type BoardDelivery, channelName, deliveriesStand, deliveryTitle, imageCount, isStuck, mayRetry, nameOf, sortAlarms, type Unmatched } from "./words";

function again(): Promise<void> {
  return queryClient.invalidateQueries({ queryKey: ["board"] });
}

export function UnmatchedPanel({ studies, onMatch }: { studies: readonly Unmatched[]; onMatch: (one: Unmatched) => void }) {
  const now = useNow(MINUTE);
  const sorted = [...studies].sort((a, b) => rank(a) - rank(b) || b.age_seconds - a.age_seconds);
  const oldest = Math.max(0, ...studies.map((one) => age(one, now)));
  return (
    <Panel className="clip fixed" title="Unmatched studies" count={studies.length} end={studies.length > 0 && <span className="sm q">oldest {span(oldest)}</span>}>
      {studies.length === 0 ? (
        <p className="quiet-line">Every study has its order. One without comes here, and is never guessed.</p>
      ) : (
        <ul className="ul">
          {sorted.map((one) => (
            <li key={one.study.id}>
              {one.priority_guess ? <PriorityMark priority={one.priority_guess} /> : <Icon name="images" size={18} className="q" />}
              <div className="grow">
                <div>
                  <span className="m">{one.study.description ?? (one.study.modalities.join(", ") || "Study")}</span>, {imageCount(one.study.number_of_instances)}, {one.facility.short_name}
                </div>
                <div className="q sm">
                  <QuestionChip subject="study" id={one.study.id} /> {one.reason ?? "No order fits"}
                </div>
              </div>
              <span className={`num nw${one.alarm ? " amber" : " q"}`}>{span(age(one, now))}</span>
              <Button size="sm" onClick={() => onMatch(one)}>
                {one.study.match_state === "held" ? "Look" : "Match"}
              </Button>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** What may be urgent first; what says nothing about itself stands with the routine. */
function rank(one: Unmatched): number {
  return priorityRank(one.priority_guess ?? "ROUTINE");
}

function age(one: Unmatched, now: number): number {
  // The server's age stands still between answers; the first image's time goes on.
  return Math.max(one.age_seconds * 1000, now - ms(one.study.first_received_at));
}

export function DeliveriesPanel({ deliveries, here }: { deliveries: readonly BoardDelivery[]; here: Place }) {
  const now = useNow(MINUTE);
  const [retrying, setRetrying] = useState<BoardDelivery | null>(null);
  const sorted = [...deliveries].sort((a, b) => Number(isStuck(b)) - Number(isStuck(a)));
  return (
    <Panel className="clip fixed" title="Deliveries" count={deliveries.length} end={<span className="sm q">{deliveriesStand(deliveries)}</span>}>
      {deliveries.length === 0 ? (
        <p className="quiet-line">Every signed report has reached its site.</p>
      ) : (
        <ul className="ul">
          {sorted.map((one) => {
            const site: Place = { zone: one.facility.time_zone, label: one.facility.short_name };
            const next = one.next_attempt_at;
            return (
              <li key={one.id}>
                <span className={isStuck(one) ? "red" : "amber"}>
                  <Icon name="warn" />
                </span>
                <div className="grow">
                  <div title={one.last_error ?? undefined}>{deliveryTitle(one, one.facility.short_name)}</div>
                  <div className="q sm">
                    <Link to={`/case/${one.case_id}`}>{nameOf(one.patient)}</Link>, report v{one.version_number}, {channelName(one.channel)}. {one.next_step}
                    {next && one.state === "queued" && <span title={inPlaces(next, [site, here])}> Next try {near(next, here.zone, now)}.</span>}
                  </div>
                </div>
                {mayRetry(one) && (
                  <Button size="sm" onClick={() => setRetrying(one)}>
                    Retry
                  </Button>
                )}
              </li>
            );
          })}
        </ul>
      )}
      {retrying && (
        <ReasonDialog
          title="Send this report again"
          confirm="Send again"
          usual={["The site says that it is ready", "Their interface is up again", "Mended with the site by phone"]}
          onClose={() => setRetrying(null)}
          onReason={async (reason) => {
            await api.post(url`/api/deliveries/${retrying.id}/retry`, { reason });
            setRetrying(null);
            toast({ tone: "done", text: `On its way to ${retrying.facility.short_name} again` });
            void again();
          }}
        >
          <p>
            <b>{nameOf(retrying.patient)}</b>, report v{retrying.version_number}, to {retrying.destination}. It goes with the same message number, so that the site can tell a repeat.
          </p>
          {retrying.last_error && <p className="q sm">Last answer: {retrying.last_error}</p>}
        </ReasonDialog>
      )}
    </Panel>
  );
}

export function AlarmsPanel({ alarms, here }: { alarms: readonly AlarmBrief[]; here: Place }) {
  const now = useNow(MINUTE);
  const [busy, setBusy] = useState<string | null>(null);
  const unseen = alarms.filter((one) => one.seen_by === null).length;
  const seen = async (alarm: AlarmBrief) => {
    setBusy(alarm.id);
    try {
      await api.post(url`/api/alarms/${alarm.id}/seen`);
      await again();
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "Not marked as seen" });
    } finally {
      setBusy(null);
    }
  };
  return (
    <Panel className="clip fixed" title="Alarms" count={alarms.length} end={unseen > 0 && <span className="sm amber">{unseen} not yet seen</span>}>
      <ul className="ul" aria-live="polite">
        {sortAlarms(alarms).map((alarm) => (
          <li key={alarm.id} className={alarm.seen_by ? "q" : undefined}>
            <span className={alarm.seen_by ? "f" : "amber"}>
              <Icon name="bell" />
            </span>
            <div className="grow">
              <div>
                <AlarmName alarm={alarm} />
                <span className="num q sm"> {near(alarm.raised_at, here.zone, now)}</span>
              </div>
              <div className="q sm">{alarm.text}</div>
            </div>
            {alarm.seen_by ? (
              <span className="sm q nw">seen</span>
            ) : (
              <Button size="sm" busy={busy === alarm.id} onClick={() => void seen(alarm)}>
                Seen
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function AlarmName({ alarm }: { alarm: AlarmBrief }) {
  const place = alarmPlace(alarm);
  return place ? <Link to={place}>{alarmName(alarm.kind)}</Link> : alarmName(alarm.kind);
}

export function NoNeeds() {
  return (
    <Panel className="clip fill">
      <Empty title="Nothing needs a person" icon="check">
        Studies without an order, deliveries that fail and alarms come here, each with the one thing to do.
      </Empty>
    </Panel>
  );
}
