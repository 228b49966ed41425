import { Checkbox, Menu, Select, Switch, TextInput } from "@mantine/core";
import { type CSSProperties, type ReactNode, useEffect, useState } from "react";
import * as kit from "../../kit";
import { toggleScheme } from "../../kit/theme";
import "./kit-page.css";
import { COVERAGE, dues, HAUGLAND, INTERVALS, MARKS, NORFJORD, PROMISE, READERS, ROWS, type Row, SYDNEY, TURNAROUND } from "./samples";

const { Button, Chip, Icon, IconButton, Kbd, Note, PriorityMark, TimeLeft } = kit;

/** Every component with its states, without data or sign-in. */
export function KitPage() {
  useEffect(() => {
    document.title = "Component kit · Heliograph";
  }, []);
  const [start] = useState(() => kit.serverNow());
  return (
    <div className="kit">
      <header className="kit-h">
        <kit.Mark />
        <h1>Component kit</h1>
        <span className="q">every room is made of these</span>
        <span className="grow" />
        <kit.DemonstrationMark />
        <kit.Clocks places={[NORFJORD, SYDNEY]} />
        <Button icon="sun" keyHint="Shift+D" onClick={toggleScheme}>
          Dark or light
        </Button>
      </header>
      <main className="kit-g">
        <Colours />
        <Type />
        <Buttons />
        <Rows start={start} />
        <Marks start={start} />
        <Inputs />
        <Card title="Patient banner and wrong-patient warning" n={3} w={4}>
          <kit.PatientBanner
            patient={HAUGLAND}
            accession="NF26-118842"
            exam="CT head, no contrast"
            site={{ ...NORFJORD, label: "Norfjord Community" }}
            here={SYDNEY}
            priority="STAT"
            promise={{ minutes: 30, start: start - 20 * kit.MINUTE, due: start + 10.5 * kit.MINUTE }}
          />
          <div style={{ height: 8 }} />
          <Note tone="red" role="alert" action={<Button size="sm">Show HAUGLAND&rsquo;s images</Button>}>
            <b>The images shown belong to another patient.</b> The report is HAUGLAND; the viewer shows DELACROIX-MUNRO.
          </Note>
        </Card>
        <Card title="Deadline ruler" sub="each promise at its minute" n={3} w={4}>
          <kit.DeadlineRuler items={dues(start)} onOpen={(id) => kit.toast({ text: `Opened ${id}` })} />
        </Card>
        <Card title="Timeline" sub="every interval, the promise over it, both zones below" n={3} w={4}>
          <kit.IntervalBar intervals={INTERVALS} marks={MARKS} promise={PROMISE} places={[NORFJORD, SYDNEY]} label="Timeline from order 02:04 to seen 02:51" />
        </Card>
        <Card title="Readers and rules" sub="who could read it, and why not each other reader" n={2} w={2} flush>
          <kit.VerdictMatrix rows={READERS} />
        </Card>
        <Card title="Verdict" sub="why, and why not">
          <kit.Why
            reasons={[
              { outcome: "pass", text: "Licence Norway, full", source: "to 31 Mar 2027" },
              { outcome: "pass", text: "On shift to 20:00", source: "6 of 10 open" },
              { outcome: "fail", text: "Wei-Lin Castellan: Norway licence ended 30 Sep 2026", source: "statute, checked 2 Oct" },
              { outcome: "unknown", text: "Matteo Brandis: certificate not yet checked at the source", source: "unknown blocks and asks" },
            ]}
          />
        </Card>
        <Messages />
        <Overlays />
        <Card title="Turnaround">
          <kit.Histogram counts={TURNAROUND} step={2.5} unit="min" promise={30} label="Turnaround of 290 STAT reads, median 11 minutes" />
          <p className="hint">STAT, 30 days, 290 reads: median 11 min, 98 % in 30.</p>
        </Card>
        <Card title="Coverage, load, chips">
          <kit.Coverage rows={COVERAGE} nowHour={1.7} label="Coverage over 24 hours; nobody for MSK Norway from 09 to 13 UTC" />
          <div className="wr" style={{ marginTop: 10 }}>
            <span className="q">Load</span>
            <kit.LoadMeter taken={6} places={10} working={1} />
            <span className="num q">6 of 10, one open</span>
          </div>
          <div className="wr">
            <Chip>chip</Chip>
            <Chip tone="outline" icon="lock">
              sealed
            </Chip>
            <Chip tone="accent">chosen</Chip>
            <Chip tone="amber">needs a person</Chip>
            <Chip tone="red">1 broken</Chip>
            <Chip tone="green">done just now</Chip>
          </div>
        </Card>
        <Card title="Empty state">
          <kit.Empty title="No case is waiting for you" action={<Button>See what others have open</Button>}>
            Cases appear here when a study is complete and you are the right reader. You are on for neuro from Norfjord, Llano Verde and Kilele Springs until 20:00.
          </kit.Empty>
        </Card>
        <Card title="Skeleton">
          <kit.SkeletonRows rows={4} now />
          <p className="hint">Shown only after 300 ms; same row height, so nothing jumps.</p>
        </Card>
        <Card title="Failure" sub="in words, with a way on">
          <kit.ErrorState error={Object.assign(new Error(), { title: "Norfjord's system did not answer for 4 minutes", detail: "The report is kept and goes out again at 02:43. If it is urgent, call +47 00 55 90 00." })} retry={() => kit.toast({ text: "Asked again" })} />
        </Card>
        <Card title="Icons" sub="16 px, one stroke" n={3} w={4}>
          <div className="icons">
            {(["list", "eye", "board", "timeline", "site", "people", "shield", "chart", "kit", "settings", "search", "bell", "sun", "plus", "columns", "spark", "more", "check", "cross", "ask", "info", "warn", "lock", "key", "undo", "phone", "pen", "mic", "ruler", "star", "link", "download", "upload", "document", "print", "chevron", "up", "right", "handback", "window", "images", "signout"] as const).map((name) => (
              <span key={name} title={name}>
                <Icon name={name} size={18} />
              </span>
            ))}
          </div>
        </Card>
      </main>
      <kit.Foot keys={[{ keys: ["j", "k"], label: "move" }, { keys: ["Enter"], label: "open" }, { keys: ["c"], label: "columns" }, { keys: ["?"], label: "all keys" }]} live={false}>
        <span className="num">7 cases · 4.1 h of reading</span>
      </kit.Foot>
    </div>
  );
}

function Card({ title, sub, n = 1, w, flush, children }: { title: string; sub?: string; n?: number; w?: number; flush?: boolean; children: ReactNode }) {
  return (
    <section className="panel kit-c" style={{ "--n": n, ...(w ? { "--w": w } : {}) } as CSSProperties}>
      <div className="ph">
        <h2>{title}</h2>
        {sub && <span className="sub">{sub}</span>}
      </div>
      <div className={`kit-b${flush ? " flush" : ""}`}>{children}</div>
    </section>
  );
}

const COLOURS = "Page bg,Well sunken,Panel panel,Raised panel-2,Pressed panel-3,Hairline line,Edge line-2,Input edge line-input,Text text,Quiet quiet,Faint faint,Accent accent,Chosen accent-soft,Red red,Red solid red-solid,Amber amber,Green green,Data 1 c-1,Data 2 c-2,Data 3 c-3,Data 4 c-4,Data 5 c-5,Night night,Day day"
  .split(",")
  .map((line) => /^(.*) (\S+)$/.exec(line)?.slice(1) as [string, string]);

function Colours() {
  return (
    <Card title="Colour" sub="each means one thing" n={2}>
      <div className="swg">
        {COLOURS.map(([name, token]) => (
          <div className="swatch" key={token}>
            <i style={{ background: `var(--${token})` }} />
            <span>{name}</span>
            <code>--{token}</code>
          </div>
        ))}
      </div>
    </Card>
  );
}

function Type() {
  const sizes: [string, string, number][] = [
    ["count", "412 of 415", 620],
    ["title", "Sign in", 620],
    ["lead", "HAUGLAND, Ingrid Marie", 620],
    ["report", "Acute left convexity subdural", 420],
    ["body", "Drop a folder here", 420],
    ["table", "CT head, no contrast", 420],
    ["small", "Dr A. Vogt, final", 420],
    ["micro", "Last image", 420],
  ];
  return (
    <Card title="Type" sub="Inter, tabular numerals">
      {sizes.map(([name, text, weight]) => (
        <div className="ty" key={name}>
          <span style={{ fontSize: `var(--fs-${name})`, fontWeight: weight, lineHeight: 1.25, whiteSpace: "nowrap" }}>{text}</span>
          <span className="q mi">{name}</span>
        </div>
      ))}
    </Card>
  );
}

function Buttons() {
  const [shown, setShown] = useState<"all" | "none">("all");
  return (
    <Card title="Buttons" sub="one filled a view">
      <div className="wr">
        <Button look="primary" keyHint="Ctrl+Enter">
          Sign final
        </Button>
        <Button look="primary" className="is-hover">
          Hover
        </Button>
        <Button look="primary" className="is-focus">
          Focus
        </Button>
        <Button disabled>Off</Button>
      </div>
      <div className="wr">
        <Button>Preliminary</Button>
        <Button className="is-hover">Hover</Button>
        <Button className="is-focus">Focus</Button>
        <Button look="quiet">Quiet</Button>
        <IconButton label="More" icon="more" look="default" />
      </div>
      <div className="wr">
        <Button look="danger">Withdraw</Button>
        <Button look="danger-solid">Confirm receipt</Button>
        <Button size="sm">Small</Button>
        <kit.Segments label="Which" value={shown} onChange={setShown} options={[{ id: "all", label: "All" }, { id: "none", label: "No reader 2" }]} />
      </div>
      <div className="wr">
        <Button look="primary" size="lg" keyHint="a">
          Acknowledge report
        </Button>
        <Button size="lg" icon="document">
          PDF
        </Button>
      </div>
    </Card>
  );
}

function Rows({ start }: { start: number }) {
  const columns: kit.Column<Row>[] = [
    { id: "pri", head: "Pri", width: 44, cell: (row) => <PriorityMark priority={row.priority} />, sort: (row) => kit.priorityRank(row.priority) },
    { id: "left", head: "Left", width: 128, fixed: true, cell: (row) => <TimeLeft due={start + row.left * kit.MINUTE} start={start + (row.left - row.promise) * kit.MINUTE} places={[NORFJORD, SYDNEY]} />, sort: (row) => row.left },
    { id: "patient", head: "Patient", fixed: true, cell: (row) => <kit.PatientName patient={row.patient} />, sort: (row) => kit.patientName(row.patient) },
    { id: "exam", head: "Exam", width: 130, cell: (row) => row.exam, sort: (row) => row.exam },
    { id: "state", head: "State", width: 112, cell: (row) => <kit.StateDot state={row.state}>{row.stateText}</kit.StateDot>, sort: (row) => row.stateText },
    { id: "means", head: "Means", width: 152, cell: (row) => <span className="q">{row.means}</span> },
  ];
  const state = kit.useTable("kit", columns, ROWS, (row) => row.id);
  const [chosen, setChosen] = useState<string>("3");
  return (
    <section className="panel kit-c" style={{ "--n": 2 } as CSSProperties}>
      <div className="ph">
        <h2>Table</h2>
        <span className="sub">32 px rows, edge mark tells why; J and K, Enter, C for columns</span>
        <span className="end">
          <kit.ColumnsButton state={state} />
        </span>
      </div>
      <div style={{ height: 268 }}>
        <kit.DataTable state={state} label="Row states" main selected={chosen} onSelect={setChosen} rowTone={(row) => row.tone} onOpen={(row) => kit.toast({ text: `Opened ${kit.patientName(row.patient)}` })} />
      </div>
    </section>
  );
}

function Marks({ start }: { start: number }) {
  const lefts: [number, number, string][] = [
    [455, 720, "far: more than 3 h"],
    [131, 240, "near: 1 to 3 h"],
    [41, 120, "hour: amber"],
    [12.5, 30, "last quarter: amber, filled"],
    [3.9, 30, "last five minutes: seconds"],
    [-4.5, 30, "broken: minus sign, red, hatched"],
  ];
  return (
    <>
      <Card title="Priority" sub="letter, shape, fill">
        <div className="pg">
          {Object.keys(kit.PRIORITIES).map((code) => (
            <PriorityMark key={code} priority={code} withLabel />
          ))}
        </div>
        <p className="hint">Shape by rank: octagon at once, diamond STAT, hexagon and pentagon soon, square by clock time, circle routine. Fill fades with rank; red and amber stay free.</p>
      </Card>
      <Card title="Time left, states, steps">
        {lefts.map(([minutes, promise, words]) => (
          <div className="row" style={{ height: 26 }} key={words}>
            <span style={{ width: 150, flex: "none" }}>
              <TimeLeft due={start + minutes * kit.MINUTE} start={start + (minutes - promise) * kit.MINUTE} places={[NORFJORD, SYDNEY]} />
            </span>
            <span className="q">{words}</span>
          </div>
        ))}
        <div className="wr" style={{ margin: "8px 0", gap: "6px 14px" }}>
          {(["arriving", "ready", "reading", "draft", "done", "held", "bad", "just"] as const).map((state) => (
            <kit.StateDot key={state} state={state}>
              {state}
            </kit.StateDot>
          ))}
        </div>
        <div className="wr" style={{ gap: "6px 18px" }}>
          <kit.StepBar current={2} />
          <kit.StepBar current={4} attention />
          <kit.StepBar current={5} />
        </div>
      </Card>
    </>
  );
}

function Inputs() {
  return (
    <Card title="Inputs">
      <TextInput label="Accession" defaultValue="NF26-118842" />
      <div className="g2">
        <TextInput label="Identifier" placeholder="As on the wristband" />
        <Select label="Choose" defaultValue="norfjord" data={[{ value: "norfjord", label: "Norfjord" }, { value: "llano", label: "Llano Verde" }]} />
      </div>
      <div style={{ marginTop: 8 }}>
        <TextInput label="Birth date" defaultValue="14 Mar 1985" error="The images say 14 Mar 1958. Correct one of the two." />
      </div>
      <div className="wr" style={{ marginTop: 10 }}>
        <Checkbox label="Only mine" defaultChecked />
        <Checkbox label="Priors" />
        <Switch label="Linked" defaultChecked />
        <Switch label="MIP" />
      </div>
    </Card>
  );
}

function Messages() {
  return (
    <Card title="Messages and undo" sub="ten seconds">
      <kit.ToastCard toast={{ text: "Handed back: TVEIT, CT head", undo: () => undefined }} still onClose={() => undefined} />
      <div style={{ height: 8 }} />
      <kit.ToastCard toast={{ text: "Signed. Norfjord answered at 02:48", tone: "done" }} still onClose={() => undefined} />
      <div style={{ height: 10 }} />
      <Note tone="amber">
        <b>Norfjord&rsquo;s system did not answer for 4 minutes.</b> Next try 02:43. <span className="nw">Call +47 00 55 90 00</span>
      </Note>
      <div style={{ height: 8 }} />
      <Note icon="lock">Dr Oyelaran has this report open since 12:38. You can read it, or ask for it.</Note>
      <div className="wr" style={{ marginTop: 10 }}>
        <Button size="sm" onClick={() => kit.toast({ text: "Handed back", undo: () => void kit.toast({ text: "It is yours again", tone: "done" }) })}>
          Try undo
        </Button>
        <Button size="sm" onClick={() => kit.toast({ text: "Signed", tone: "done" })}>
          Try done
        </Button>
      </div>
    </Card>
  );
}

function Overlays() {
  const [tab, setTab] = useState("mine");
  const [asking, setAsking] = useState(false);
  return (
    <Card title="Tabs, menu, dialog">
      <div style={{ borderBottom: "1px solid var(--line)" }}>
        <kit.Tabs
          label="Saved filters"
          value={tab}
          onChange={setTab}
          tabs={[
            { id: "mine", label: "Mine", count: 22 },
            { id: "due", label: "Due in 1 h", count: 8, tone: "hot" },
            { id: "late", label: "Past due", count: 1, tone: "bad" },
            { id: "done", label: "Done", count: 31 },
          ]}
        />
      </div>
      <div className="row" style={{ marginTop: 14, gap: 16, alignItems: "flex-start" }}>
        <div className="menu grow">
          <div className="it on">
            Open
            <Kbd k="Enter" />
          </div>
          <div className="it">
            Open in second window
            <Kbd k="Shift+Enter" />
          </div>
          <div className="it">
            Hand back
            <Kbd k="b" />
          </div>
        </div>
        <div className="tip">
          Due in 12 min
          <br />
          <span className="q num">02:53 Norfjord · 12:53 Sydney</span>
        </div>
      </div>
      <div className="wr" style={{ marginTop: 12 }}>
        <Menu>
          <Menu.Target>
            <Button icon="more">Menu</Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item rightSection={<Kbd k="b" />}>Hand back</Menu.Item>
            <Menu.Item rightSection={<Kbd k="w" />}>Who could read this</Menu.Item>
            <Menu.Item data-danger>Withdraw</Menu.Item>
          </Menu.Dropdown>
        </Menu>
        <Button onClick={() => setAsking(true)}>Dialog</Button>
      </div>
      <kit.ConfirmDialog opened={asking} title="Sign final" confirm="Sign" cancel="Back to report" onClose={() => setAsking(false)} onConfirm={() => setAsking(false)}>
        <div className="m">
          HAUGLAND, Ingrid Marie · <span className="num">14 Mar 1958 · 4471-0932</span>
        </div>
        <p className="q" style={{ margin: "4px 0 12px" }}>
          CT head, NF26-118842. It goes to Norfjord at once and can&rsquo;t be changed, only added to.
        </p>
        <TextInput type="password" label="Password, first signature since 12:02" autoComplete="current-password" data-autofocus />
      </kit.ConfirmDialog>
    </Card>
  );
}
