import type { SubjectKind } from "../../api/types";
import { Chip, MINUTE, ms, span, useNow } from "../../kit";
import { useQuestions } from "./data";
import { standing } from "./words";

/** On a line of a list: that the site was asked and how long ago, or that it has answered. Nothing where nothing is asked. */
export function QuestionChip({ subject, id }: { subject: SubjectKind; id: string }) {
  const now = useNow(MINUTE);
  const found = useQuestions();
  const stands = standing(found.data ?? [], subject, id);
  if (!stands) return null;
  if (stands.words === "answered")
    return (
      <Chip tone="green" icon="check" title={stands.title}>
        answered
      </Chip>
    );
  return (
    <Chip tone={stands.isLate ? "amber" : "outline"} title={stands.title}>
      asked <span className="num">{span(Math.max(MINUTE, now - ms(stands.since)))}</span>
    </Chip>
  );
}
