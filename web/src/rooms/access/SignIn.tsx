import { useQuery } from "@tanstack/react-query";
import { type ReactNode, type SyntheticEvent, useEffect, useRef, useState } from "react";
import { Navigate, useNavigate, useSearchParams } from "react-router";
import { api, ApiError } from "../../api/client";
import { acceptSession, firstRoom, sessionQuery } from "../../api/session";
import type { Session } from "../../api/types";
import { Note } from "../../kit/bits";
import { Button, IconButton } from "../../kit/Button";
import { Mark } from "../../kit/Icon";
import { useNow } from "../../kit/now";
import { DemonstrationMark } from "../../kit/Shell";
import { toggleScheme } from "../../kit/theme";
import { clock, MINUTE } from "../../kit/time";
import "./signin.css";
import { sunHeight, sunset } from "./sun";
import { CITIES, WorldMap } from "./WorldMap";

/** Says nothing about patients, people or load. */
export function SignIn() {
  const [search] = useSearchParams();
  const next = safePlace(search.get("next"));
  const session = useQuery({ ...sessionQuery, retry: false });
  const ready = useQuery({ queryKey: ["ready"], queryFn: ({ signal }) => readiness(signal), refetchInterval: MINUTE, retry: false });
  useEffect(() => {
    document.title = "Sign in · Heliograph";
  }, []);
  if (session.data && session.isFetchedAfterMount) return <Navigate to={next ?? firstRoom(session.data)} replace />;
  return (
    <main className="si">
      <section className="si-left" aria-label="Day and night">
        <div className="si-mark">
          <Mark size={26} />
          <span>Heliograph</span>
          {ready.data?.demonstration && <DemonstrationMark />}
        </div>
        <div className="si-map">
          <WorldMap />
        </div>
        <Facts service={ready.isError ? "No connection" : !ready.data ? "Asking" : ready.data.ok ? "All parts answer" : "Some parts do not answer"} />
      </section>
      <section className="si-right">
        <SignInForm next={next} over={search.has("over")} />
      </section>
    </main>
  );
}

/** What the server says of itself to anybody: whether it is whole, and whether it is a demonstration. */
async function readiness(signal: AbortSignal): Promise<{ ok: boolean; demonstration: boolean }> {
  const response = await fetch("/health/ready", { signal });
  const body: unknown = await response.json().catch(() => null);
  return { ok: response.ok, demonstration: typeof body === "object" && body !== null && "demonstration" in body && body.demonstration === true };
}

/** Only a place within the app: another host's address is thrown away. */
export function safePlace(next: string | null): string | null {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith("/sign-in") ? next : null;
}

type Ask = "password" | "totp";

function SignInForm({ next, over }: { next: string | null; over: boolean }) {
  const navigate = useNavigate();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");
  const [seen, setSeen] = useState(false);
  const [ask, setAsk] = useState<Ask>("password");
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  const code = useRef<HTMLInputElement>(null);
  useEffect(() => (ask === "totp" ? code : first).current?.focus(), [ask]);

  const submit = async (event: SyntheticEvent) => {
    event.preventDefault();
    if (busy) return;
    if (ask === "password" && (!username.trim() || !password)) {
      setRefusal("Type both your user name and your password.");
      return;
    }
    setBusy(true);
    setRefusal(null);
    try {
      const session = acceptSession(await api.post<Session>("/api/sign-in", { username: username.trim(), password, ...(ask === "totp" ? { totp: totp.replaceAll(/\s/g, "") } : {}) }));
      void navigate(next ?? firstRoom(session), { replace: true });
    } catch (error) {
      if (error instanceof ApiError && error.code === "totp-needed" && ask === "password") setAsk("totp");
      else setRefusal(words(error, ask));
      setTotp("");
    } finally {
      setBusy(false);
    }
  };

  return (
    <form className="si-form" onSubmit={(event) => void submit(event)} aria-label="Sign in" noValidate>
      <h1>Sign in</h1>
      {ask === "password" ? (
        <>
          <Field id="username" label="User name or work e-mail" error={refusal !== null}>
            <input ref={first} id="username" name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required value={username} onChange={(event) => setUsername(event.target.value)} />
          </Field>
          <div style={{ height: 12 }} />
          <Field id="password" label="Password" error={refusal !== null}>
            <input id="password" name="password" type={seen ? "text" : "password"} autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
            <IconButton label={seen ? "Hide the password" : "Show the password"} icon="eye" size="sm" aria-pressed={seen} onClick={() => setSeen((before) => !before)} />
          </Field>
        </>
      ) : (
        <>
          <p className="q" style={{ marginBottom: 12 }}>
            {username} <Button look="quiet" size="sm" onClick={() => setAsk("password")}>Not you</Button>
          </p>
          <Field id="totp" label="Six-figure code of your authenticator" error={refusal !== null} className="si-code">
            <input ref={code} id="totp" name="totp" inputMode="numeric" autoComplete="one-time-code" maxLength={7} required value={totp} onChange={(event) => setTotp(event.target.value)} />
          </Field>
        </>
      )}
      <Button type="submit" look="primary" size="lg" keyHint="Enter" busy={busy}>
        Sign in
      </Button>
      <div aria-live="assertive">
        {refusal && (
          <div style={{ marginTop: 16 }}>
            <Note tone="red">{refusal}</Note>
          </div>
        )}
      </div>
      {over && !refusal && (
        <div style={{ marginTop: 16 }}>
          <Note icon="info">
            <div className="sm">
              You were signed out. <b className="m">What you typed is kept</b> <span className="q">and opens where you left it.</span>
            </div>
          </Note>
        </div>
      )}
      <div className="row sp sm" style={{ marginTop: 16 }}>
        <span className="q">No access? Your administrator gives it.</span>
        <IconButton label="Dark or light" icon="sun" size="sm" keyHint="Shift+D" onClick={toggleScheme} />
      </div>
    </form>
  );
}

function words(error: unknown, ask: Ask): string {
  if (error instanceof ApiError) {
    if (error.code === "totp-needed" || (ask === "totp" && error.code === "wrong-credentials")) return "This code is not right, or was used already. Codes change every 30 seconds: take the next one.";
    if (error.code === "wrong-credentials") return "User name and password don't belong together. Look at the caps lock, then try again.";
    return error.message;
  }
  return "The sign-in did not answer. Try again.";
}

function Field({ id, label, error, className, children }: { id: string; label: string; error: boolean; className?: string; children: ReactNode }) {
  return (
    <div>
      <label className="lab" htmlFor={id}>
        {label}
      </label>
      <div className={`si-in${error ? " err" : ""}${className ? ` ${className}` : ""}`}>{children}</div>
    </div>
  );
}

/** Time, sun, and whether this server answers: facts that need no sign-in. */
function Facts({ service }: { service: string }) {
  const now = useNow();
  const lit = CITIES.map((city) => ({ city, height: sunHeight(now, city.lon, city.lat) })).sort((a, b) => b.height - a.height)[0]?.city;
  const set = lit ? sunset(now, lit.lon, lit.lat) : null;
  return (
    <dl className="si-facts">
      <div>
        <dt>UTC</dt>
        <dd className="num">{clock(now, "UTC")}</dd>
      </div>
      {lit && (
        <div>
          <dt>Highest sun</dt>
          <dd>
            {lit.name} <small className="num">{set ? `to ${clock(set, lit.zone)}` : ""}</small>
          </dd>
        </div>
      )}
      <div>
        <dt>Service</dt>
        <dd aria-live="polite">{service}</dd>
      </div>
    </dl>
  );
}
