import { useQuery } from "@tanstack/react-query";
import { api, queryClient, url } from "../../api/client";
import type { QuestionLine, QuestionThread, SubjectKind } from "../../api/types";
import { MINUTE } from "../../kit";

/** What is asked now at the sites that the person works for or coordinates. For staff and coordinators only. */
export function useQuestions() {
  return useQuery({
    queryKey: ["questions"],
    queryFn: ({ signal }) => api.get<QuestionLine[]>("/api/questions", signal),
    meta: { topics: ["question"] },
    refetchInterval: MINUTE, // a question becomes late without anybody's doing
  });
}

/** All that was asked about one subject. Seeing it is recorded. */
export function useThread(kind: SubjectKind, id: string) {
  return useQuery({
    queryKey: ["questions", kind, id],
    queryFn: ({ signal }) => api.get<QuestionThread>(pathOf(kind, id), signal),
    meta: { topics: ["question"] },
  });
}

export function pathOf(kind: SubjectKind, id: string): string {
  if (kind === "study") return url`/api/studies/${id}/questions`;
  return kind === "case" ? url`/api/cases/${id}/questions` : url`/api/held-objects/${id}/questions`;
}

/** Lists and threads alike. */
export function askAgain(): Promise<void> {
  return queryClient.invalidateQueries({ queryKey: ["questions"] });
}
