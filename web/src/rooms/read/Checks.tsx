import { Button, Chip, Icon } from "../../kit";
import { type CheckAction, gathered, type ShownCheck } from "./checks";

const WORDS: Record<CheckAction["kind"], string> = { go: "Go", series: "Show", images: "Show" };

/** What stands between the report and its signature: stops first, then what asks. */
export function Checks({ checks, waiting, onAct }: { checks: readonly ShownCheck[]; waiting: boolean; onAct: (action: CheckAction) => void }) {
  const stops = checks.filter((check) => check.level === "stop").length;
  const asks = checks.length - stops;
  const { empty, lines } = gathered(checks);
  return (
    <section className="checks" aria-label="Checks before signing">
      <div className="row sp chk-h">
        <span className="row">
          <b>Checks</b>
          {stops > 0 && <Chip tone="red">{stops === 1 ? "1 stops" : `${stops} stop`}</Chip>}
          {asks > 0 && <Chip tone="amber">{asks === 1 ? "1 asks" : `${asks} ask`}</Chip>}
        </span>
        <span className="q sm">{waiting ? "checking" : checks.length === 0 ? "nothing stands in the way" : ""}</span>
      </div>
      <ul className="scroll">
        {empty.length > 0 && (
          <li className="bad many">
            <span>
              <Icon name="cross" size={14} />
              <span className="sr">Stops: </span>
            </span>
            <div>
              Not filled in:{" "}
              {empty.map(({ name, check }) => (
                <Button key={check.field} size="sm" onClick={() => check.action && onAct(check.action)}>
                  {name}
                </Button>
              ))}
            </div>
          </li>
        )}
        {lines.map((check, index) => {
          const action = check.action;
          return (
            <li key={`${check.id} ${check.field ?? index}`} className={check.level === "stop" ? "bad" : "ask"}>
              <span>
                <Icon name={check.level === "stop" ? "cross" : action?.kind === "series" ? "eye" : action?.kind === "images" ? "images" : "pen"} size={14} />
                <span className="sr">{check.level === "stop" ? "Stops: " : "Asks: "}</span>
              </span>
              <div>{check.text}</div>
              {action && (
                <Button size="sm" onClick={() => onAct(action)}>
                  {WORDS[action.kind]}
                </Button>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
