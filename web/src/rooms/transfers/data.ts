import { useQuery } from "@tanstack/react-query";
import { api, queryClient } from "../../api/client";
import type { NodeBrief } from "../../api/types";

/** The nodes that transfers can be asked of; few, and seldom changed. */
export function useNodes(enabled = true) {
  return useQuery({ queryKey: ["nodes"], queryFn: ({ signal }) => api.get<NodeBrief[]>("/api/nodes", signal), enabled, staleTime: 60_000 });
}

export function renewTransfers(): void {
  void queryClient.invalidateQueries({ queryKey: ["transfers"] });
}
