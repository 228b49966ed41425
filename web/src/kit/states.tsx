/** What stands where data would: nothing yet, not yet here, could not be had. */
import { type ReactNode, useEffect, useState } from "react";
import { Button, LinkButton } from "./Button";
import { Icon, type IconName } from "./Icon";

/** Teaches: what will appear here, and how to make it appear. */
export function Empty({ title, children, icon = "list", action }: { title: string; children?: ReactNode; icon?: IconName; action?: ReactNode }) {
  return (
    <div className="empty">
      <span className="q">
        <Icon name={icon} size={26} />
      </span>
      <b>{title}</b>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

/** True once 300 ms have gone: what is faster shows no skeleton at all. */
export function useLate(after = 300): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), after);
    return () => clearTimeout(timer);
  }, [after]);
  return late;
}

const WIDTHS = [130, 110, 150, 96, 122, 140];

/** Rows of the table's own height, so that nothing jumps when the data come. */
export function SkeletonRows({ rows = 8, now }: { rows?: number; now?: boolean }) {
  const late = useLate();
  return (
    <div role="status" aria-label="Loading" className="sk-rows">
      {(late || now) &&
        Array.from({ length: rows }, (_, index) => (
          <div key={index} className="row sk-row">
            <span className="sk" style={{ width: 18, height: 18 }} />
            <span className="sk" style={{ width: 70 }} />
            <span className="sk" style={{ width: WIDTHS[index % WIDTHS.length] }} />
            <span className="sk grow" />
          </div>
        ))}
    </div>
  );
}

export function SkeletonText({ lines = 3 }: { lines?: number }) {
  const late = useLate();
  return (
    <div role="status" aria-label="Loading" className="sk-text">
      {late && Array.from({ length: lines }, (_, index) => <span key={index} className="sk" style={{ width: `${88 - ((index * 17) % 40)}%` }} />)}
    </div>
  );
}

interface Problem {
  title: string;
  detail?: string;
}

function words(error: unknown): Problem {
  if (error instanceof Error) {
    const detail = "detail" in error && typeof error.detail === "string" ? error.detail : undefined;
    const title = "title" in error && typeof error.title === "string" ? error.title : error.message;
    return { title, detail: detail === title ? undefined : detail };
  }
  return { title: "This could not be shown" };
}

/** Says what happened in words and offers the way on. */
export function ErrorState({ error, retry, action }: { error: unknown; retry?: () => void; action?: ReactNode }) {
  const { title, detail } = words(error);
  // Asking again brings the same answer.
  const closed = error instanceof Error && "status" in error && (error.status === 403 || error.status === 404);
  return (
    <div className="empty" role="alert">
      <span className="amber">
        <Icon name="warn" size={26} />
      </span>
      <b>{title}</b>
      {detail && <p>{detail}</p>}
      <div className="row">
        {closed && !action && <LinkButton to="/">To my first room</LinkButton>}
        {retry && !closed && (
          <Button icon="undo" onClick={retry}>
            Try again
          </Button>
        )}
        {action}
      </div>
    </div>
  );
}
