import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";
import { api, url } from "../../api/client";
import { herePlace, useSession } from "../../api/session";
import type { Destination as Facts, Trial } from "../../api/types";
import { Button, Chip, type Column, DataTable, dayClock, Empty, ErrorState, Facts as FactList, MINUTE, near, Note, Panel, ReasonDialog, SkeletonRows, StateDot, toast, useKeys, useNow, useTable } from "../../kit";
import { nameIn, options, useAdminList, useFacilities } from "./data";
import { renewDestinations } from "./Destinations";
import { ABOUT, bodyOf, fieldsOf, type Kind, KINDS, lasting, SECRET_WORDS, type SecretName, SECRETS, stateOf, valuesOf, whereTo } from "./destinations";
import { RecordDialog, text } from "./RecordDialog";
import { Active } from "./Sites";
import type { Node } from "./types";
import { Once } from "./Users";

type Asking = "change" | "retry" | "secret" | null;
type Open = Facts["open"][number];
const STATES: Record<string, ["waiting" | "held" | "bad", string]> = { queued: ["waiting", "waits"], sent: ["waiting", "sent, no answer yet"], held: ["held", "held"], failed: ["bad", "failed"] };

/** One destination: what waits, how it fares, a test, its settings and secrets. No patient is seen from here. */
export function Destination() {
  const { destinationId = "" } = useParams();
  const now = useNow(MINUTE);
  const here = herePlace(useSession());
  const found = useQuery({ queryKey: ["admin", "destinations", destinationId], queryFn: ({ signal }) => api.get<Facts>(url`/api/admin/destinations/${destinationId}`, signal), meta: { topics: ["delivery"] }, refetchInterval: MINUTE });
  const facilities = useFacilities();
  const nodes = useAdminList<Node>("nodes");
  const [asking, setAsking] = useState<Asking>(null);
  const [trial, setTrial] = useState<Trial | "busy" | { failure: string } | null>(null);
  const [made, setMade] = useState<string | null>(null);
  const one = found.data;
  const test = async () => {
    setTrial("busy");
    try {
      setTrial(await api.post<Trial>(url`/api/admin/destinations/${destinationId}/test`));
    } catch (error) {
      setTrial({ failure: error instanceof Error ? error.message : "It was not tried" });
    }
  };
  useKeys("Administration", [
    { id: "destination.test", keys: ["t"], label: "Send a test", when: () => one !== undefined && trial !== "busy", run: () => void test() },
    { id: "destination.retry", keys: ["r"], label: "Try again what was refused", when: () => (one?.fare.retriable ?? 0) > 0, run: () => setAsking("retry") },
  ]);
  const columns: Column<Open>[] = [
    { id: "since", head: `Since, ${here.label}`, width: 110, fixed: true, cell: (row) => <span className="num">{near(row.created_at, here.zone, now)}</span>, sort: (row) => row.created_at },
    {
      id: "state",
      head: "State",
      width: 150,
      fixed: true,
      cell: (row) => {
        const [dot, words] = STATES[row.state] ?? ["waiting", row.state];
        return <StateDot state={dot}>{words}</StateDot>;
      },
      sort: (row) => row.state,
    },
    { id: "version", head: "Report", width: 116, cell: (row) => `${row.is_withdrawal ? "withdrawal of " : ""}version ${row.version_number}`, sort: (row) => row.version_number },
    { id: "tries", head: "Tries", width: 60, cell: (row) => <span className="num">{row.attempts}</span>, sort: (row) => row.attempts },
    { id: "next", head: "Next try", width: 86, cell: (row) => <span className="num q">{row.next_attempt_at ? near(row.next_attempt_at, here.zone, now) : "–"}</span>, sort: (row) => row.next_attempt_at },
    { id: "why", head: "What is wrong", cell: (row) => <span title={row.hold_reason ?? row.last_error ?? undefined}>{row.hold_reason ?? row.last_error}</span> },
  ];
  const state = useTable("admin-destination-open", columns, one?.open ?? [], (row) => row.id, { id: "since" });
  if (found.isError) return <ErrorState error={found.error} retry={() => void found.refetch()} action={<Link to="/admin/destinations">All destinations</Link>} />;
  if (!one) return <SkeletonRows rows={10} />;
  const kind = one.kind as Kind;
  const fare = one.fare;
  const [dot, words] = stateOf(one);
  return (
    <div className="rdr">
      <header className="rdr-h">
        <div>
          <div className="row">
            <span className="rn">{one.name}</span>
            <Chip tone="outline">{KINDS[kind]}</Chip>
          </div>
          <div className="row q">
            <Link className="lnk" to="/admin/destinations">
              All destinations
            </Link>
            {one.is_active ? <StateDot state={dot}>{words}</StateDot> : <Active on={false} />}
          </div>
        </div>
        <dl className="kp">
          <Number name="Waiting" value={String(fare.queued + fare.sent)} />
          <Number name="Held, failed" value={String(fare.held + fare.failed)} />
          <Number name="Delivered" value={String(fare.acknowledged)} />
          <Number name="Half within" value={lasting(fare.median_seconds)} />
          <Number name="95 % within" value={lasting(fare.slow_seconds)} />
        </dl>
        <span className="grow" />
        <Button onClick={() => setAsking("change")}>Change</Button>
        <Button look="primary" keyHint="t" busy={trial === "busy"} onClick={() => void test()}>
          Send a test
        </Button>
      </header>
      <div className="rdr-g">
        <Panel
          className="clip"
          title="Not delivered"
          count={one.open.length}
          sub={fare.waiting_since ? `waiting since ${dayClock(fare.waiting_since, here.zone)} ${here.label}` : undefined}
          end={
            fare.retriable > 0 && (
              <Button size="sm" keyHint="r" onClick={() => setAsking("retry")}>
                Try all again
              </Button>
            )
          }
        >
          <DataTable
            state={state}
            label="Not delivered"
            main
            rowTone={(row) => (row.state === "failed" ? "broken" : row.state === "held" ? "person" : undefined)}
            empty={
              <Empty title="Nothing waits" icon="check">
                Every report for this destination is acknowledged. What it refuses or does not answer stands here.
              </Empty>
            }
          />
        </Panel>
        <div className="rcol">
          {trial && trial !== "busy" && <Tried trial={trial} />}
          <Panel title="How it fares" className="clip">
            <div className="og">
              <FactList
                facts={[
                  ["Facility", nameIn(facilities.data, one.facility_id)],
                  ["Goes to", <span key="to" style={{ overflowWrap: "anywhere" }}>{whereTo(one, nodes.data)}</span>],
                  ["Last success", fare.last_success_at ? `${dayClock(fare.last_success_at, here.zone)} ${here.label}` : "none yet"],
                  ["Last error", fare.last_error_at ? <span key="error" className="amber">{`${near(fare.last_error_at, here.zone, now)}: ${fare.last_error ?? ""}`}</span> : "none in 30 days"],
                  ["Messages", <Link key="log" className="lnk" to={`/messages?endpoint=${one.id}`}>in the message log</Link>],
                ]}
              />
              <p className="q dst-p">{ABOUT[kind]}</p>
              <p className="q dst-p">What is delivered and how fast counts over 30 days, from signing to the acknowledgement, with every try.</p>
            </div>
          </Panel>
          {SECRETS[kind] && (
            <Panel
              title="Secrets"
              className="clip"
              end={
                <Button size="sm" onClick={() => setAsking("secret")}>
                  {one.secrets.length > 0 ? "Change" : "Give one"}
                </Button>
              }
            >
              <div className="og">
                {made && <Once title="For the receiver, shown once" value={made} />}
                {one.secrets.length === 0 ? (
                  <Note tone="amber">Without one nothing is sent.</Note>
                ) : (
                  <ul className="efl">
                    {one.secrets.map((secret) => (
                      <li key={`${secret.name} ${secret.made_at}`}>
                        <b>{SECRET_WORDS[secret.name]}</b>
                        <span className="q">{`since ${dayClock(secret.made_at, here.zone)}${secret.ends_at ? `, until ${dayClock(secret.ends_at, here.zone)}` : ""}`}</span>
                      </li>
                    ))}
                  </ul>
                )}
              </div>
            </Panel>
          )}
        </div>
      </div>
      {asking === "change" && (
        <RecordDialog
          title={one.name}
          save="Save"
          fields={[
            { name: "facility_id", label: "Facility", kind: "select", required: true, half: true, options: options(facilities.data) },
            { name: "name", label: "Name", required: true, half: true },
            ...fieldsOf(kind, nodes.data),
            { name: "is_active", label: "Active", kind: "switch", hint: "To a stopped destination nothing is sent" },
          ]}
          start={valuesOf(one)}
          onClose={() => setAsking(null)}
          onSave={async (values) => {
            await api.patch(url`/api/admin/endpoints/${one.id}`, { ...bodyOf(kind, values, one.settings), is_active: values.is_active === true });
            renewDestinations();
          }}
        />
      )}
      {asking === "retry" && (
        <ReasonDialog
          title={`Try ${fare.retriable === 1 ? "it" : `all ${fare.retriable}`} again?`}
          confirm="Try again"
          usual={["Their system is mended", "The settings were put right"]}
          onClose={() => setAsking(null)}
          onReason={async (reason) => {
            const told = await api.post<{ count: number }>(url`/api/admin/destinations/${one.id}/retry`, { reason });
            renewDestinations();
            toast({ tone: "done", text: told.count === 1 ? "One is tried again now" : `${told.count} are tried again now` });
            setAsking(null);
          }}
        >
          <p>What this destination refused, and what could not be made for it. What a coordinator holds stays held.</p>
        </ReasonDialog>
      )}
      {asking === "secret" && <SecretDialog id={one.id} kind={kind} hasOne={one.secrets.length > 0} onMade={setMade} onClose={() => setAsking(null)} />}
    </div>
  );
}

function Number({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Tried({ trial }: { trial: Trial | { failure: string } }) {
  const ok = "is_ok" in trial && trial.is_ok;
  return (
    <Panel title="The test" className="clip" end={"is_ok" in trial && <span className="num q">{lasting(trial.seconds)}</span>}>
      <div className="og" role="status">
        <div className="row dst-t">
          <StateDot state={ok ? "just" : "bad"}>{ok ? "It works" : "It does not work"}</StateDot>
        </div>
        <p>{"failure" in trial ? trial.failure : trial.words}</p>
        {"answer" in trial && trial.answer && <pre className="segs dst-a">{trial.answer.trim()}</pre>}
      </div>
    </Panel>
  );
}

function SecretDialog({ id, kind, hasOne, onMade, onClose }: { id: string; kind: Kind; hasOne: boolean; onMade: (secret: string | null) => void; onClose: () => void }) {
  const names = SECRETS[kind] ?? [];
  return (
    <RecordDialog
      title={hasOne ? "Change the secret" : "Give a secret"}
      save="Keep"
      width={520}
      note="It is kept encrypted; nobody is shown it again."
      fields={[
        ...(names.length > 1 ? [{ name: "name", label: "Which", kind: "select" as const, required: true, options: names }] : []),
        { name: "value", label: SECRET_WORDS[names[0]?.value ?? "signing"], kind: "password", hint: kind === "webhook" ? "whsec_ and base64; empty: one is made and shown once" : undefined, required: kind !== "webhook", when: (values) => values.name !== "private_key" },
        { name: "key", label: "Private key", kind: "text", hint: "OpenSSH or PEM, without a passphrase; paste all of it", required: true, when: (values) => values.name === "private_key" },
        ...(kind === "webhook" && hasOne ? [{ name: "overlap_hours", label: "The old one signs too for", kind: "number" as const, required: true, half: true, hint: "Hours; 0: it ends at once" }] : []),
      ]}
      start={{ name: names[0]?.value ?? "signing", overlap_hours: 24 }}
      onClose={onClose}
      onSave={async (values) => {
        const name = values.name as SecretName;
        const value = name === "private_key" ? pem(text(values.key) ?? "") : text(values.value);
        const told = await api.post<{ secret: string | null }>(url`/api/admin/destinations/${id}/secret`, { name, value, overlap_hours: kind === "webhook" ? values.overlap_hours : 0 });
        onMade(told.secret);
        renewDestinations();
      }}
    />
  );
}

/** A key that was pasted into one line gets its lines back. */
function pem(pasted: string): string {
  const found = /^(-----BEGIN [A-Z ]+-----)\s*([\s\S]*?)\s*(-----END [A-Z ]+-----)$/.exec(pasted);
  if (!found) return pasted;
  return `${found[1]}\n${(found[2] ?? "").replace(/\s+/g, "\n")}\n${found[3]}\n`;
}
