import { useQuery } from "@tanstack/react-query";
import { api, queryClient } from "../../api/client";
import type { Facility, Organization, ReaderFacts, User } from "./types";

/** The lists that names are looked up in. */
export type ListName = "organizations" | "facilities" | "callers" | "nodes" | "endpoints" | "agreements" | "readers" | "users" | "keys" | "shifts";

export function useAdminList<T>(name: ListName, enabled = true) {
  return useQuery({ queryKey: ["admin", name], queryFn: ({ signal }) => api.get<T[]>(`/api/admin/${name}`, signal), enabled, meta: name === "shifts" ? { topics: ["shift"] } : undefined });
}

export const useOrganizations = () => useAdminList<Organization>("organizations");
export const useFacilities = (enabled = true) => useAdminList<Facility>("facilities", enabled);
export const useReaders = () => useAdminList<ReaderFacts>("readers");
export const useUsers = () => useAdminList<User>("users");

export function renew(...names: (ListName | "reader")[]): void {
  for (const name of names) void queryClient.invalidateQueries({ queryKey: ["admin", name] });
}

export function options(list: readonly { id: string; name: string }[] | undefined): { value: string; label: string }[] {
  return (list ?? []).map((one) => ({ value: one.id, label: one.name }));
}

export function nameIn(list: readonly { id: string; name?: string; short_name?: string }[] | undefined, id: string | null): string {
  const one = list?.find((other) => other.id === id);
  return one?.short_name ?? one?.name ?? "–";
}

export const ZONES: { value: string; label: string }[] = (typeof Intl.supportedValuesOf === "function" ? ["UTC", ...Intl.supportedValuesOf("timeZone")] : ["UTC", "Europe/Oslo", "Australia/Sydney"]).filter((zone, index, all) => all.indexOf(zone) === index).map((zone) => ({ value: zone, label: zone.replaceAll("_", " ") }));

export const isJurisdiction = (value: string): string | null => (/^[A-Z]{2}(-[A-Za-z0-9-]{1,10})?$/.test(value) ? null : "Two letters of the country, as NO; with a state where licences are its: US-TX");
