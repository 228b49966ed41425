/** What is asked and answered often, and how questions stand, as pure functions. */
import type { QuestionLine, SubjectKind } from "../../api/types";

const OF_IMAGES: readonly string[] = ["Whose images are these?", "Which of these two patients is right?", "Is this a repeat of the earlier study?", "Can you send these images again?"];
const USUAL: Record<SubjectKind, readonly string[]> = {
  study: [...OF_IMAGES, "Which order do these images answer?"],
  held_object: OF_IMAGES,
  case: ["Are more images coming?", "Which side was examined?", "Is there an earlier study to compare with?", "Is this a repeat of the earlier study?"],
};

/** Questions to take with one click and change. */
export function usualQuestions(kind: SubjectKind): readonly string[] {
  return USUAL[kind];
}

/** Answers to take with one click and finish. */
export const USUAL_ANSWERS: readonly string[] = ["Yes", "No", "We send it again with the right name", "We are looking into it", "Please reject these images"];

export interface Standing {
  words: "answered" | "asked";
  isLate: boolean;
  /** When the question that waits longest was asked. */
  since: string;
  /** The words of all of them, for a tooltip. */
  title: string;
}

/** How what was asked about one subject stands: an answer is news, so it comes first. Null: nothing is asked now. */
export function standing(lines: readonly QuestionLine[], kind: SubjectKind, id: string): Standing | null {
  const own = lines.filter((line) => line.subject_kind === kind && line.subject_id === id);
  const open = own.filter((line) => line.state === "open");
  const answered = own.filter((line) => line.state === "answered");
  const first = (answered.length > 0 ? answered : open).reduce<QuestionLine | null>((least, line) => (least === null || Date.parse(line.asked_at) < Date.parse(least.asked_at) ? line : least), null);
  if (!first) return null;
  return {
    words: answered.length > 0 ? "answered" : "asked",
    isLate: open.some((line) => line.is_late),
    since: first.asked_at,
    title: own.map((line) => `${line.text}${line.answers.map((answer) => ` ${answer.answered_by}: ${answer.text}`).join("")}`).join("\n"),
  };
}

/** What waits for the people of a site, in the order the server gives: what was asked first stands first. */
export function toAnswer(lines: readonly QuestionLine[]): QuestionLine[] {
  return lines.filter((line) => line.state === "open" && line.may_answer);
}

/** Where the thing itself is seen at the site. Ids only. */
export function placeOf(line: Pick<QuestionLine, "subject_kind" | "subject_id">): string {
  const id = encodeURIComponent(line.subject_id);
  return line.subject_kind === "held_object" ? `/quarantine/${id}` : `/site?${line.subject_kind}=${id}`;
}
