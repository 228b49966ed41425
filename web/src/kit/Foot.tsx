import type { ReactNode } from "react";
import { useLive } from "../api/live";
import { Kbd } from "./Kbd";
import { useNow } from "./now";
import { span } from "./time";

/** The line at the bottom of a room: its keys at the left, what is known at the right. */
export function Foot({ keys, children, live = true }: { keys?: readonly { keys: readonly string[]; label: string }[]; children?: ReactNode; live?: boolean }) {
  return (
    <footer className="foot">
      {keys?.map((hint) => (
        <span className="k" key={hint.label}>
          {hint.keys.map((key) => (
            <Kbd key={key} k={key} />
          ))}
          {hint.label}
        </span>
      ))}
      <span className="grow" />
      {children}
      {live && <LiveStatus />}
    </footer>
  );
}

/** "Live" while events come; says so, and what that means, while they don't. */
export function LiveStatus() {
  const { state, heardAt } = useLive();
  const now = useNow(10_000);
  if (state === "live") {
    const since = now - heardAt;
    return <span className="num live">Live{since > 10_000 && since < 3_600_000 ? `, last change ${span(since)} ago` : ""}</span>;
  }
  if (state === "connecting") return <span className="live">Connecting</span>;
  return <span className="live off">Not live: trying again. What you see may be old.</span>;
}
