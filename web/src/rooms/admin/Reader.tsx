import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link, useParams } from "react-router";
import { api, url } from "../../api/client";
import { Avatar, Button, Chip, day, Empty, ErrorState, Facts, MINUTE, ms, Panel, SkeletonRows, type Tab, Tabs, toast, useKeys, useNow } from "../../kit";
import { isJurisdiction, options, renew, useFacilities, useOrganizations, ZONES } from "./data";
import { type Field, RecordDialog, text, type Values } from "./RecordDialog";
import { scaleOf } from "./Readers";
import { Active, Change } from "./Sites";
import type { Certificate, Engagement, Licence, Privilege, ReaderFacts, Validity } from "./types";
import { endOfDay, jurisdictionName, languageName, lastDay, lastDayField, leftWords, runsOut, standing, startOfDay, SUBSPECIALTIES } from "./words";

type Part = "licences" | "privileges" | "certificates" | "engagements" | "places";
type Asking = { kind: "add"; part: Part | "languages" } | { kind: "end"; part: "licences" | "privileges" | "certificates" | "engagements"; id: string; name: string; until: string | null; status?: string; verified?: boolean } | { kind: "change" } | null;

const TODAY = () => new Date().toISOString().slice(0, 10);
const validity: Field[] = [
  { name: "valid_from", label: "First day", kind: "date", required: true, half: true },
  { name: "valid_until", label: "Last day", kind: "date", half: true, hint: "Empty: open" },
];
const jurisdiction: Field = { name: "jurisdiction", label: "Jurisdiction", required: true, half: true, hint: "As NO, US-TX", check: isJurisdiction };
const subspecialties = SUBSPECIALTIES.map((value) => ({ value, label: value }));
const dates = (values: Values) => ({ valid_from: startOfDay(String(values.valid_from)), valid_until: typeof values.valid_until === "string" ? endOfDay(values.valid_until) : null });

/** All that decides what a reader may read: each with how long it still holds. */
export function Reader() {
  const { readerId = "" } = useParams();
  const now = useNow(MINUTE);
  const found = useQuery({ queryKey: ["admin", "reader", readerId], queryFn: ({ signal }) => api.get<ReaderFacts>(url`/api/admin/readers/${readerId}`, signal) });
  const [part, setPart] = useState<Part>("licences");
  const [asking, setAsking] = useState<Asking>(null);
  const addPart = part;
  useKeys("Administration", [{ id: "admin.add", keys: ["n"], label: "Add to this list", when: () => found.data !== undefined, run: () => setAsking({ kind: "add", part: addPart }) }]);
  if (found.isError) return <ErrorState error={found.error} retry={() => void found.refetch()} action={<Link to="/admin/readers">All readers</Link>} />;
  if (!found.data) return <SkeletonRows rows={10} />;
  const reader = found.data;
  const out = runsOut(reader, now);
  const valid = (list: readonly (Validity & { status?: string })[]) => list.filter((one) => ["valid", "soon"].includes(standing(one, now))).length;
  const place = reader.places.find((one) => one.is_current);
  const tabs: (Tab & { id: Part })[] = [
    { id: "licences", label: "Licences", count: reader.licences.length },
    { id: "privileges", label: "Privileges", count: reader.privileges.length },
    { id: "certificates", label: "Certificates", count: reader.certificates.length },
    { id: "engagements", label: "Engagements", count: reader.engagements.length },
    { id: "places", label: "Places", count: reader.places.length },
  ];
  const toggle = async () => {
    try {
      await api.patch(url`/api/admin/readers/${reader.reader_id}`, { is_active: !reader.is_active });
      renew("reader", "readers");
      toast({ tone: "done", text: reader.is_active ? "Gets no more cases" : "Gets cases again", undo: () => api.patch(url`/api/admin/readers/${reader.reader_id}`, { is_active: reader.is_active }).then(() => renew("reader", "readers")) });
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "Not changed" });
    }
  };
  const dropLanguage = async (language: string) => {
    const path = url`/api/admin/readers/${reader.reader_id}/languages`;
    try {
      await api.del(`${path}/${encodeURIComponent(language)}`);
      renew("reader", "readers");
      toast({ text: `${languageName(language)} taken away`, undo: () => api.post(path, { language }).then(() => renew("reader", "readers")) });
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "Not taken away" });
    }
  };
  return (
    <div className="rdr">
      <header className="rdr-h">
        <span className="ava big">
          <Avatar name={reader.name} />
        </span>
        <div>
          <div className="row">
            <span className="rn">{reader.name}</span>
            <Active on={reader.is_active} />
          </div>
          <div className="q">
            {place ? `Reads from ${place.name}` : "Has not said where they read from"} for {reader.engagements.map((one) => one.organization_name).join(" and ") || "nobody"}
          </div>
        </div>
        <dl className="kp">
          <Figure name="Licences valid" of={reader.licences.length} value={valid(reader.licences)} />
          <Figure name="Ended or soon" value={out.length} tone={out.some((one) => one.standing !== "soon") ? "red" : out.length ? "amber" : undefined} />
          <Figure name="Privileges" of={reader.privileges.length} value={valid(reader.privileges)} />
          <Figure name="Places" value={reader.capacity} />
        </dl>
        <span className="grow" />
        <Button onClick={() => setAsking({ kind: "change" })}>Places</Button>
        <Button look={reader.is_active ? "danger" : "default"} onClick={() => void toggle()}>
          {reader.is_active ? "Stop cases" : "Give cases again"}
        </Button>
      </header>
      <div className="rdr-g">
        <section className="panel clip" aria-label="What the reader holds">
          <div className="ph tabbed">
            <Tabs label="What the reader holds" tabs={tabs} value={part} onChange={(id) => setPart(id as Part)} />
            <span className="end">
              <Button size="sm" icon="plus" keyHint="n" onClick={() => setAsking({ kind: "add", part })}>
                Add
              </Button>
            </span>
          </div>
          <Held reader={reader} part={part} now={now} onEnd={setAsking} />
        </section>
        <div className="rcol">
          <Panel className="clip" title="What runs out, and what that means" count={out.length || undefined}>
            {out.length === 0 ? (
              <p className="quiet-line">Nothing ends within 100 days.</p>
            ) : (
              <ul className="efl scroll">
                {out.map((one) => (
                  <li key={one.key}>
                    <span className={`num ${one.standing === "soon" ? "amber" : "red"}`}>{one.at ? lastDay(one.at) : "now"}</span>
                    <div>
                      <b>{one.what}</b> <span className="q">{one.means}</span>
                    </div>
                  </li>
                ))}
              </ul>
            )}
          </Panel>
          <Panel className="clip" title="Other facts" end={<span className="sm q">known on {day(now, "UTC")}</span>}>
            <div className="og">
              <Facts
                facts={[
                  ["Reads from", place ? `${place.name}, ${jurisdictionName(place.jurisdiction)}` : "not said"],
                  [
                    "Languages",
                    <span key="l" className="row wrapr">
                      {reader.languages.map((language) => (
                        <Chip key={language}>
                          {languageName(language)}
                          <button type="button" className="lnk" aria-label={`Take ${languageName(language)} away`} onClick={() => void dropLanguage(language)}>
                            ×
                          </button>
                        </Chip>
                      ))}
                      <Button size="sm" look="quiet" icon="plus" onClick={() => setAsking({ kind: "add", part: "languages" })}>
                        Language
                      </Button>
                    </span>,
                  ],
                  ["Subspecialties", reader.certificates.map((one) => one.subspecialty).join(", ") || "none"],
                  ["Malpractice", [...new Set(reader.engagements.flatMap((one) => one.malpractice_jurisdictions))].map(jurisdictionName).join(", ") || "not entered: blocks"],
                ]}
              />
            </div>
          </Panel>
        </div>
      </div>
      {asking && <Ask asking={asking} reader={reader} onClose={() => setAsking(null)} />}
    </div>
  );
}

function Figure({ name, value, of, tone }: { name: string; value: number; of?: number; tone?: "red" | "amber" }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className={tone}>
        {value} {of !== undefined && <small className="q">of {of}</small>}
      </dd>
    </div>
  );
}

interface Line extends Validity {
  id: string;
  name: string;
  detail: ReactNode;
  status?: string;
  verified?: boolean;
}

const EMPTY: Record<Part, [string, string]> = {
  licences: ["No licence", "A licence lets the reader read for facilities of its jurisdiction. Without one no case reaches them."],
  privileges: ["No privilege", "Each facility says who may read for it."],
  certificates: ["No certificate", "A board certificate makes the reader one of a subspecialty."],
  engagements: ["No engagement", "A reading group engages the reader, with cover and dates."],
  places: ["No place", "Clients and laws say from where images may be seen."],
};

function linesOf(reader: ReaderFacts, part: Exclude<Part, "places">): Line[] {
  switch (part) {
    case "licences":
      return reader.licences.map((one: Licence) => ({ ...one, name: jurisdictionName(one.jurisdiction), detail: <span className="num">{`${one.number}, ${one.scope}`}</span>, verified: one.is_verified }));
    case "privileges":
      return reader.privileges.map((one: Privilege) => ({ ...one, name: one.facility_name, detail: one.subspecialties.join(", ") || "everything" }));
    case "certificates":
      return reader.certificates.map((one: Certificate) => ({ ...one, name: one.board, detail: one.subspecialty }));
    case "engagements":
      return reader.engagements.map((one: Engagement) => ({ ...one, name: one.organization_name, detail: `${one.is_locum ? "locum, " : ""}cover: ${one.malpractice_jurisdictions.join(", ") || "none"}` }));
  }
}

function Held({ reader, part, now, onEnd }: { reader: ReaderFacts; part: Part; now: number; onEnd: (asking: Asking) => void }) {
  if (part === "places") {
    return reader.places.length === 0 ? (
      <Empty title={EMPTY.places[0]} icon="window">
        {EMPTY.places[1]}
      </Empty>
    ) : (
      <div className="scroll">
        <table aria-label="Places" className="inset">
          <thead>
            <tr>
              <th>Place</th>
              <th>Jurisdiction</th>
              <th>Time zone</th>
              <th style={{ width: 130 }}>Now</th>
            </tr>
          </thead>
          <tbody>
            {reader.places.map((one) => (
              <tr key={one.id}>
                <td className="m">{one.name}</td>
                <td>{jurisdictionName(one.jurisdiction)}</td>
                <td className="q">{one.time_zone.replaceAll("_", " ")}</td>
                <td>{one.is_current ? <Chip tone="accent">reads from here</Chip> : ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    );
  }
  const lines = linesOf(reader, part).sort((a, b) => (a.valid_until ? ms(a.valid_until) : Infinity) - (b.valid_until ? ms(b.valid_until) : Infinity));
  if (lines.length === 0) {
    return (
      <Empty title={EMPTY[part][0]} icon="shield" action={<Button onClick={() => onEnd({ kind: "add", part })}>Add</Button>}>
        {EMPTY[part][1]}
      </Empty>
    );
  }
  const scale = scaleOf(now);
  const at = (instant: number) => ((Math.min(Math.max(instant, scale.from), scale.to) - scale.from) / (scale.to - scale.from)) * 100;
  return (
    <div className="scroll">
      <table aria-label={part} className="inset">
        <thead>
          <tr>
            <th style={{ width: "18%" }}>{part === "licences" ? "Jurisdiction" : part === "privileges" ? "Facility" : part === "certificates" ? "Board" : "Group"}</th>
            <th>{part === "licences" ? "Number" : part === "privileges" || part === "certificates" ? "For" : "Terms"}</th>
            <th style={{ width: "27%" }}>
              <span className="gh">
                {scale.years.map((year) => (
                  <span key={year}>{year}</span>
                ))}
              </span>
            </th>
            <th className="r" style={{ width: 98 }}>
              Last day
            </th>
            <th className="r" style={{ width: 66 }}>
              Left
            </th>
            {part === "licences" && <th style={{ width: 80 }}>Register</th>}
            <th style={{ width: 76 }} aria-label="Change" />
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => {
            const how = standing(line, now);
            const tone = how === "ended" || how === "stopped" ? "red" : how === "soon" ? "amber" : "";
            const from = at(ms(line.valid_from));
            const until = at(line.valid_until ? ms(line.valid_until) : Infinity);
            return (
              <tr key={line.id} className={how === "ended" || how === "stopped" ? "broken" : how === "soon" ? "person" : undefined}>
                <td className="m">{line.name}</td>
                <td>{line.detail}</td>
                <td>
                  <span className="gt" role="img" aria-label={`${day(line.valid_from, "UTC")} to ${lastDay(line.valid_until)}`}>
                    <i className={tone === "red" ? "rd" : tone === "amber" ? "am" : undefined} style={{ left: `${from}%`, width: `${Math.max(0.6, until - from)}%` }} />
                    <u style={{ left: `${at(now)}%` }} />
                  </span>
                </td>
                <td className={`num r ${tone}`}>{lastDay(line.valid_until)}</td>
                <td className={`num r ${tone || "q"}`}>{leftWords(line, now)}</td>
                {part === "licences" && <td>{line.verified ? <span className="q">looked at</span> : <span className="amber">not yet</span>}</td>}
                <td>
                  <Change onClick={() => onEnd({ kind: "end", part, id: line.id, name: line.name, until: line.valid_until, status: line.status, verified: line.verified })} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const STATUSES = [
  { value: "active", label: "active" },
  { value: "suspended", label: "suspended" },
  { value: "revoked", label: "revoked" },
];

function Ask({ asking, reader, onClose }: { asking: NonNullable<Asking>; reader: ReaderFacts; onClose: () => void }) {
  const facilities = useFacilities();
  const organizations = useOrganizations();
  const path = url`/api/admin/readers/${reader.reader_id}`;
  const done = () => renew("reader", "readers");
  if (asking.kind === "change") {
    return (
      <RecordDialog
        title="Places at a time"
        save="Save"
        note="Reads that may be open at once, over all groups. What is assigned already stays."
        fields={[{ name: "capacity", label: "Places", kind: "number", required: true }]}
        start={{ capacity: reader.capacity }}
        onClose={onClose}
        onSave={async (values) => {
          await api.patch(path, { capacity: values.capacity });
          done();
        }}
      />
    );
  }
  if (asking.kind === "end") {
    const hasStatus = asking.part === "licences" || asking.part === "privileges";
    return (
      <RecordDialog
        title={asking.name}
        save="Save"
        note="A change counts from this moment: the rules run again when a case is opened and when it is signed."
        fields={[
          { name: "valid_until", label: "Last day", kind: "date", half: true, hint: "The new end" },
          ...(hasStatus ? [{ name: "status", label: "Status", kind: "select" as const, required: true, half: true, options: STATUSES }] : []),
          ...(asking.part === "licences" ? [{ name: "is_verified", label: "I looked it up in the register", kind: "switch" as const }] : []),
        ]}
        start={{ valid_until: lastDayField(asking.until), status: asking.status ?? "active", is_verified: asking.verified ?? false }}
        onClose={onClose}
        onSave={async (values) => {
          const until = typeof values.valid_until === "string" ? endOfDay(values.valid_until) : null;
          const body: Record<string, unknown> = {};
          if (until !== null && (asking.until === null || ms(until) !== ms(asking.until))) body.valid_until = until;
          if (hasStatus && values.status !== asking.status) body.status = values.status;
          if (asking.part === "licences" && values.is_verified !== asking.verified) body.is_verified = values.is_verified;
          if (Object.keys(body).length === 0) return;
          await api.patch(`${path}/${asking.part}/${encodeURIComponent(asking.id)}`, body);
          done();
        }}
      />
    );
  }
  const forms: Record<Part | "languages", { title: string; fields: Field[]; start: Values; body: (values: Values) => Record<string, unknown> }> = {
    licences: {
      title: "A licence",
      fields: [jurisdiction, { name: "number", label: "Number", required: true, half: true }, { name: "scope", label: "Scope", required: true, hint: "full, telemedicine, final reads ..." }, ...validity, { name: "is_verified", label: "I looked it up in the register", kind: "switch" }],
      start: { scope: "full", valid_from: TODAY(), is_verified: false },
      body: (values) => ({ jurisdiction: text(values.jurisdiction), number: text(values.number), scope: text(values.scope), is_verified: values.is_verified === true, ...dates(values) }),
    },
    privileges: {
      title: "A privilege",
      fields: [{ name: "facility_id", label: "Facility", kind: "select", required: true, options: options(facilities.data), hint: "One that you administer" }, { name: "subspecialties", label: "For", kind: "multi", options: subspecialties, hint: "Empty: everything" }, ...validity],
      start: { subspecialties: [], valid_from: TODAY() },
      body: (values) => ({ facility_id: values.facility_id, subspecialties: values.subspecialties ?? [], ...dates(values) }),
    },
    certificates: {
      title: "A certificate",
      fields: [{ name: "subspecialty", label: "Subspecialty", kind: "select", required: true, half: true, options: subspecialties }, { name: "board", label: "Board", required: true, half: true }, ...validity],
      start: { valid_from: TODAY() },
      body: (values) => ({ subspecialty: values.subspecialty, board: text(values.board), ...dates(values) }),
    },
    engagements: {
      title: "An engagement",
      fields: [{ name: "organization_id", label: "Group", kind: "select", required: true, options: options(organizations.data?.filter((one) => one.kind === "reading_group")) }, { name: "malpractice_jurisdictions", label: "Malpractice cover holds in", kind: "tags", hint: "As NO, US-TX" }, ...validity, { name: "is_locum", label: "Locum", kind: "switch" }],
      start: { valid_from: TODAY(), malpractice_jurisdictions: [], is_locum: false },
      body: (values) => ({ organization_id: values.organization_id, malpractice_jurisdictions: values.malpractice_jurisdictions ?? [], is_locum: values.is_locum === true, ...dates(values) }),
    },
    places: {
      title: "A place read from",
      fields: [{ name: "name", label: "Name", required: true }, jurisdiction, { name: "time_zone", label: "Time zone", kind: "select", required: true, half: true, options: ZONES }],
      start: {},
      body: (values) => ({ name: text(values.name), jurisdiction: text(values.jurisdiction), time_zone: values.time_zone }),
    },
    languages: {
      title: "A language of reports",
      fields: [{ name: "language", label: "Language", required: true, hint: "As en, nb, de-CH", check: (value) => (/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(value) ? null : "As en, nb, de-CH") }],
      start: {},
      body: (values) => ({ language: text(values.language) }),
    },
  };
  const form = forms[asking.part];
  return (
    <RecordDialog
      title={form.title}
      save="Add"
      fields={form.fields}
      start={form.start}
      onClose={onClose}
      onSave={async (values) => {
        await api.post(`${path}/${asking.part}`, form.body(values));
        done();
      }}
    />
  );
}
