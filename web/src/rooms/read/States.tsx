import { useQueryClient } from "@tanstack/react-query";
import { ApiError } from "../../api/client";
import type { Check } from "../../api/types";
import { Button, clock, Empty, ErrorState, type IconName, LinkButton, Note } from "../../kit";
import { dismissError, openStudy, reloadViewer, useViewer } from "./viewer/store";

/** The read could not be opened: who has it since when, why it is no longer this reader's, or what failed. */
export function NotOpened({ error, zone, onRetry }: { error: unknown; zone: string; onRetry: () => void }) {
  const client = useQueryClient();
  const back = <LinkButton to="/list">To my list</LinkButton>;
  const again = () => {
    void client.invalidateQueries({ queryKey: ["my-list"] });
    onRetry();
  };
  if (error instanceof ApiError && error.code === "held-by-another") {
    const { holder, since } = error.problem;
    return (
      <State icon="lock" title={`${typeof holder === "string" ? holder : "Another reader"} has this case open`} action={<><Button icon="undo" onClick={again}>Try again</Button>{back}</>}>
        {typeof since === "string" ? `Since ${clock(since, zone)}. ` : ""}It is free again when they sign or leave it, or after ten minutes without a word. A coordinator can give it to somebody else.
      </State>
    );
  }
  if (error instanceof ApiError && error.code === "no-longer-eligible") {
    const checks = Array.isArray(error.problem.checks) ? (error.problem.checks as Check[]) : [];
    return (
      <State icon="shield" title="You may no longer read this case" action={back}>
        {[error.detail, ...checks.filter((check) => check.outcome !== "pass").map((check) => check.text)].filter(Boolean).join(" ")}
      </State>
    );
  }
  if (error instanceof ApiError && error.status === 404) {
    return (
      <State icon="search" title="This read is not here, or no longer yours" action={back}>
        It may have been given to another reader, or the order was cancelled.
      </State>
    );
  }
  return <ErrorState error={error} retry={onRetry} action={back} />;
}

function State({ icon, title, children, action }: { icon: IconName; title: string; children: React.ReactNode; action: React.ReactNode }) {
  return (
    <div className="full">
      <Empty icon={icon} title={title} action={<span className="row">{action}</span>}>
        {children}
      </Empty>
    </div>
  );
}

const FAILED: Record<string, { title: string; hint: string }> = {
  "no-start": { title: "The viewer did not start", hint: "Your report is not touched by it. Load the viewer again; if that fails, open the images in a window of their own." },
  "no-image": { title: "No image has come yet", hint: "The archive does not answer, or the line is slow. The viewer goes on trying; the report stays as it is." },
  "study-not-found": { title: "The archive does not show this study", hint: "It may have been taken out, or your permission ended. Ask the reading desk before you sign." },
  webgl: { title: "This browser can't draw images", hint: "WebGL is missing or switched off. Use a current Chrome, Edge or Firefox with graphics acceleration on; the report can be written meanwhile." },
};

/** Over the images when they fail; in a corner when only some did. */
export function ViewerTrouble({ address }: { address: string }) {
  const viewer = useViewer();
  const error = viewer.error;
  if (!error) return null;
  const whole = FAILED[error.what];
  if (!whole) {
    return (
      <div className="v-note">
        <Note tone="amber" role="status" action={<Button size="sm" onClick={dismissError}>Close</Button>}>
          {error.text}
        </Note>
      </div>
    );
  }
  return (
    <div className="v-over" role="alert">
      <Empty
        icon="warn"
        title={whole.title}
        action={
          <span className="row">
            <Button icon="undo" onClick={() => (error.what === "no-image" && viewer.opened ? openStudy(viewer.opened, true) : reloadViewer())}>
              Try again
            </Button>
            <a className="btn" href={address} target="_blank" rel="noreferrer">
              In a window of its own
            </a>
            {error.what === "no-image" && (
              <Button look="quiet" onClick={dismissError}>
                Wait
              </Button>
            )}
          </span>
        }
      >
        {whole.hint}
      </Empty>
    </div>
  );
}
