import { queryOptions, useQuery } from "@tanstack/react-query";
import { zoneCity, type Place } from "../kit/time";
import { api, queryClient, setCsrfToken } from "./client";
import type { Role, RoomName, Session } from "./types";

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }) => keep(await api.get<Session>("/api/session", signal)),
  staleTime: 5 * 60_000,
  retry: (count, error) => !(error instanceof Error && "status" in error && error.status === 401) && count < 2,
});

function keep(session: Session): Session {
  setCsrfToken(session.csrf_token);
  return session;
}

/** Puts a session that an answer brought (sign in, place chosen) in force. */
export function acceptSession(session: Session): Session {
  queryClient.setQueryData(sessionQuery.queryKey, keep(session));
  return session;
}

/** The session of a page behind the sign-in; the layout renders pages only once it is here. */
export function useSession(): Session {
  const { data } = useQuery(sessionQuery);
  if (!data) throw new Error("useSession outside the signed-in layout");
  return data;
}

export function hasRole(session: Session, role: Role): boolean {
  return session.roles.some((held) => held.role === role);
}

/** Where the person reads from, else their own zone: the second clock of every page. */
export function herePlace(session: Session): Place {
  const place = session.reader?.place;
  if (place) return { zone: place.time_zone, label: place.name };
  return { zone: session.user.time_zone, label: zoneCity(session.user.time_zone) };
}

const FIRST: RoomName[] = ["list", "board", "site", "admin"];

/** The room a person begins in. */
export function firstRoom(session: Session): string {
  const room = FIRST.find((name) => session.rooms.includes(name)) ?? session.rooms[0];
  return room ? `/${room}` : "/_kit";
}

export async function signOut(): Promise<void> {
  await api.del("/api/session");
  queryClient.clear();
  setCsrfToken("");
}
