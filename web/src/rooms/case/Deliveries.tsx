import { Menu, Select, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, queryClient, url } from "../../api/client";
import type { Topic } from "../../api/live";
import type { CaseDetail } from "../../api/types";
import { Button, ConfirmDialog, Empty, ErrorState, Icon, type IconName, near, Note, type Place, ReasonDialog, Segments, serverNow, SkeletonRows, StateDot, toast, UsualReasons, useKeys, useNow } from "../../kit";
import { type CaseDeliveries, channelWords, type DeliveryLine, stateOf, type Step, stepsFor, tryWords, versionWords, type Way, WAYS } from "./deliveryWords";
import "./deliveries.css";

const TOPICS: readonly Topic[] = ["case", "delivery", "report"];

const STEPS: Record<Step, { label: string; key: string; icon: IconName; done: string; usual: string[]; told: string }> = {
  retry: { label: "Try now", key: "r", icon: "undo", done: "It is tried now", usual: ["The site mended it", "The site asked for it"], told: "The same message is sent again at once." },
  "send-anew": {
    label: "Send anew",
    key: "n",
    icon: "upload",
    done: "It is sent anew",
    usual: ["The site lost it", "Put right at the site", "Patient's identity was corrected"],
    told: "A new message is made from what is known now, with a number of its own, so that the receiver does not take it for a repeat.",
  },
  hold: { label: "Hold", key: "h", icon: "lock", done: "It is held", usual: ["The site asked to wait", "The site's system is being changed"], told: "It is not sent until somebody says so. What comes after it may go." },
  cancel: { label: "Cancel", key: "x", icon: "cross", done: "It is cancelled", usual: ["Told by phone", "The site does not want it", "Sent another way"], told: "Nothing is sent there any more, and nothing waits for it." },
};

type Asking = { step: Step; one: DeliveryLine } | "tell" | "withdraw" | null;

function renew(): void {
  void queryClient.invalidateQueries({ predicate: (query) => query.meta?.topics?.includes("delivery") ?? false });
}

/** Where the report went, each try, and who was told by a person; a coordinator steps in here. */
export function Deliveries({ detail, place }: { detail: CaseDetail; place: Place }) {
  const now = useNow(30_000);
  const [at, setAt] = useState(0);
  const [asking, setAsking] = useState<Asking>(null);
  const found = useQuery({
    queryKey: ["case", detail.id, "deliveries"],
    queryFn: ({ signal }) => api.get<CaseDeliveries>(url`/api/cases/${detail.id}/deliveries`, signal),
    meta: { topics: TOPICS },
  });
  const lines = found.data?.deliveries ?? [];
  const chosen = lines[Math.min(at, lines.length - 1)];
  const steers = found.data?.may_steer ?? false;
  const tells = (found.data?.may_tell ?? false) && detail.versions.length > 0;
  const can = (step: Step) => steers && chosen !== undefined && stepsFor(chosen).includes(step);
  const newest = detail.versions.reduce<CaseDetail["versions"][number] | undefined>((last, one) => (last && last.number > one.number ? last : one), undefined);
  useKeys("Deliveries", [
    { id: "delivery.next", keys: ["ArrowDown", "j"], label: "Next delivery", when: () => lines.length > 0, run: () => setAt((i) => Math.min(i + 1, lines.length - 1)) },
    { id: "delivery.previous", keys: ["ArrowUp", "k"], label: "Previous delivery", when: () => lines.length > 0, run: () => setAt((i) => Math.max(i - 1, 0)) },
    ...(Object.keys(STEPS) as Step[]).map((step) => ({
      id: `delivery.${step}`,
      keys: [STEPS[step].key],
      label: STEPS[step].label,
      when: () => can(step),
      run: () => chosen && setAsking({ step, one: chosen }),
    })),
    { id: "delivery.tell", keys: ["t"], label: "Told by phone, fax or print", when: () => tells, run: () => setAsking("tell") },
  ]);
  if (found.isError) return <ErrorState error={found.error} retry={() => void found.refetch()} />;
  if (!found.data) return <SkeletonRows rows={4} />;
  if (lines.length === 0)
    return (
      <Empty title="Nothing to deliver yet" icon="upload">
        When the report is signed, each destination gets its line here: the site&rsquo;s system, the archive, the site&rsquo;s page.
      </Empty>
    );
  return (
    <div className="dlv">
      {(tells || steers) && (
        <div className="dlv-bar">
          {tells && (
            <Button size="sm" icon="phone" keyHint="t" onClick={() => setAsking("tell")}>
              Told by phone, fax, print
            </Button>
          )}
          <span className="grow" />
          {tells && newest?.state === "signed" && (
            <Button size="sm" look="quiet" onClick={() => setAsking("withdraw")}>
              Withdraw the report
            </Button>
          )}
        </div>
      )}
      <div className="scroll">
        <table aria-label="Deliveries" className="inset">
          <thead>
            <tr>
              <th style={{ width: 168 }}>Destination</th>
              <th style={{ width: 108 }}>Version</th>
              <th style={{ width: 132 }}>State</th>
              <th>What happened</th>
              <th style={{ width: 56 }} aria-label="What to do" />
            </tr>
          </thead>
          <tbody>
            {lines.map((one, index) => (
              <Line key={one.id} one={one} place={place} now={now} chosen={one === chosen} steers={steers} onChoose={() => setAt(index)} onStep={(step) => setAsking({ step, one })} />
            ))}
          </tbody>
        </table>
        {found.data.tellings.length > 0 && (
          <section className="told" aria-label="Told by a person">
            <h3>Told by a person</h3>
            <ul>
              {found.data.tellings.map((one) => (
                <li key={one.id}>
                  <b>{one.told_to}</b>, by {WAYS[one.way].toLowerCase()}, <span className="num">{near(one.told_at, place.zone, now)}</span>, version {one.version_number}, by {one.teller_name}
                  {one.note && <span className="q">. {one.note}</span>}
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
      {asking === "tell" && newest && <TellDialog versionId={newest.id} number={newest.number} open={steers ? lines.filter((one) => one.version_id === newest.id && stepsFor(one).includes("cancel")) : []} onClose={() => setAsking(null)} />}
      {asking === "withdraw" && newest && <WithdrawDialog versionId={newest.id} onClose={() => setAsking(null)} />}
      {asking !== null && typeof asking === "object" && <StepDialog {...asking} onClose={() => setAsking(null)} />}
    </div>
  );
}

function Line({ one, place, now, chosen, steers, onChoose, onStep }: { one: DeliveryLine; place: Place; now: number; chosen: boolean; steers: boolean; onChoose: () => void; onStep: (step: Step) => void }) {
  const [dot, word] = stateOf(one);
  const steps = steers ? stepsFor(one) : [];
  const told = one.state === "acknowledged" && one.acknowledged_at ? near(one.acknowledged_at, place.zone, now) : null;
  return (
    <tr className={chosen ? "sel" : undefined} aria-selected={chosen} onClick={onChoose}>
      <td className="m">
        {one.destination}
        <span className="sub">{channelWords(one.channel)}</span>
      </td>
      <td className="num q">{versionWords(one)}</td>
      <td>
        <StateDot state={dot}>{word}</StateDot>
      </td>
      <td className="wrap q">
        {told ? (
          <>
            <span className="num">{told}</span>
            {one.acknowledgement_code && `, ${one.acknowledgement_code}`}
            {one.attempts > 1 && `, after ${one.attempts} tries`}
          </>
        ) : (
          one.next_step
        )}
        {chosen && one.tries.length > 0 && (
          <ol className="tries" aria-label="Tries">
            {one.tries.map((each, index) => (
              <li key={index}>
                <span className="num">{near(each.at, place.zone, now)}</span>
                <span>{tryWords(each.outcome, each.detail)}</span>
              </li>
            ))}
          </ol>
        )}
      </td>
      <td className="act">
        {steps.length > 0 && (
          <Menu position="bottom-end">
            <Menu.Target>
              <Button size="sm" look="quiet" icon="more" aria-label={`What to do with the delivery to ${one.destination}, ${versionWords(one)}`} onClick={onChoose} />
            </Menu.Target>
            <Menu.Dropdown>
              {steps.map((step) => (
                <Menu.Item key={step} leftSection={<Icon name={STEPS[step].icon} />} rightSection={<kbd>{STEPS[step].key}</kbd>} onClick={() => onStep(step)}>
                  {STEPS[step].label}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )}
      </td>
    </tr>
  );
}

function StepDialog({ step, one, onClose }: { step: Step; one: DeliveryLine; onClose: () => void }) {
  const { label, done, usual, told } = STEPS[step];
  return (
    <ReasonDialog
      title={`${label}: ${one.destination}, ${versionWords(one)}`}
      confirm={label}
      danger={step === "cancel"}
      usual={usual}
      onClose={onClose}
      onReason={async (reason) => {
        await api.post(url`/api/deliveries/${one.id}/${step}`, { reason });
        onClose();
        toast({ tone: "done", text: done });
        renew();
      }}
    >
      <p>{told}</p>
    </ReasonDialog>
  );
}

const AGO = [0, 5, 15, 30, 60, 120];

/** Who was told by a person, how and when. */
function TellDialog({ versionId, number, open, onClose }: { versionId: string; number: number; open: DeliveryLine[]; onClose: () => void }) {
  const [way, setWay] = useState<Way>("phone");
  const [to, setTo] = useState("");
  const [ago, setAgo] = useState("0");
  const [note, setNote] = useState("");
  const [instead, setInstead] = useState("");
  return (
    <ConfirmDialog
      opened
      title={`Version ${number} was told by a person`}
      confirm="Record it"
      width={480}
      ready={to.trim().length > 1}
      onClose={onClose}
      onConfirm={async () => {
        const told_at = new Date(serverNow() - Number(ago) * 60_000).toISOString();
        await api.post(url`/api/reports/${versionId}/tellings`, { way, told_to: to.trim(), told_at: ago === "0" ? null : told_at, note: note.trim() || null, instead_of: instead || null });
        onClose();
        toast({ tone: "done", text: "Recorded" });
        renew();
      }}
    >
      <div className="dlv-form">
        <Segments label="How" options={(Object.keys(WAYS) as Way[]).map((id) => ({ id, label: WAYS[id] }))} value={way} onChange={(id) => setWay(id as Way)} />
        <TextInput label={way === "phone" ? "Who took it" : way === "fax" ? "To whom, and the number" : "Who took the print"} value={to} onChange={(event) => setTo(event.currentTarget.value)} maxLength={200} required data-autofocus />
        <Select label="When" data={AGO.map((minutes) => ({ value: String(minutes), label: minutes === 0 ? "Just now" : `${minutes} minutes ago` }))} value={ago} allowDeselect={false} onChange={(value) => setAgo(value ?? "0")} />
        <Textarea label="Note" value={note} onChange={(event) => setNote(event.currentTarget.value)} maxLength={1000} />
        <UsualReasons reasons={["Read back", "Left with the ward"]} onTake={setNote} />
        {open.length > 0 && (
          <Select
            label="What is still being sent"
            data={[{ value: "", label: "Goes on" }, ...open.map((one) => ({ value: one.id, label: `Cancel ${one.destination}` }))]}
            value={instead}
            allowDeselect={false}
            onChange={(value) => setInstead(value ?? "")}
          />
        )}
      </div>
    </ConfirmDialog>
  );
}

/** Takes a signed report back everywhere. */
function WithdrawDialog({ versionId, onClose }: { versionId: string; onClose: () => void }) {
  const [because, setBecause] = useState("wrong_patient");
  const [reason, setReason] = useState("");
  return (
    <ConfirmDialog
      opened
      danger
      title="Withdraw the report"
      confirm="Withdraw"
      width={480}
      ready={reason.trim().length > 2}
      onClose={onClose}
      onConfirm={async () => {
        await api.post(url`/api/reports/${versionId}/withdraw`, { because, reason: reason.trim() });
        onClose();
        toast({ tone: "done", text: "Withdrawn; who has it is told" });
        renew();
      }}
    >
      <div className="dlv-form">
        <Note tone="amber">All its versions stay readable here, marked as withdrawn. Where one went, its withdrawal follows; what did not arrive is not sent any more.</Note>
        <Segments
          label="Why"
          options={[
            { id: "wrong_patient", label: "Wrong patient" },
            { id: "other", label: "Another reason" },
          ]}
          value={because}
          onChange={setBecause}
        />
        <Textarea label="Reason, kept in the record and never sent" value={reason} onChange={(event) => setReason(event.currentTarget.value)} maxLength={1000} required data-autofocus />
      </div>
    </ConfirmDialog>
  );
}
