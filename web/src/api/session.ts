import { queryOptions, useQuery } from "@tanstack/react-query";
import { zoneCity, type Place } from "../kit/time";
import { api, ApiError, queryClient, setCsrfToken } from "./client";
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
  const before = queryClient.getQueryData(sessionQuery.queryKey);
  // Another person at the same screen: nothing of the one before may show.
  if (before && before.user.id !== session.user.id) queryClient.clear();
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

/** Whether the role opens a room, by the first word of its address. What is no room is nobody's to close here. */
export function mayEnter(session: Session, room: string): boolean {
  if (["messages", "quarantine", "hidden", "transfers", "identity", "patients"].includes(room)) return hasRole(session, "coordinator") || hasRole(session, "site_staff");
  return !(ROOM_NAMES as readonly string[]).includes(room) || session.rooms.includes(room as RoomName);
}

/** Whether the person has to do with patients at all: administrators and operators have not. */
export function seesPatients(session: Session): boolean {
  return session.roles.some((held) => held.role !== "administrator");
}

const ROOM_NAMES: readonly RoomName[] = ["list", "read", "board", "site", "case", "admin"];
const FIRST: RoomName[] = ["list", "board", "site", "admin"];

/** The room a person begins in. */
export function firstRoom(session: Session): string {
  const room = FIRST.find((name) => session.rooms.includes(name)) ?? session.rooms[0];
  return room ? `/${room}` : "/_kit";
}

/** Ends the session and loads the page anew, so that nothing seen stays in memory. */
export async function signOut(): Promise<void> {
  try {
    await api.del("/api/session");
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
  window.location.replace("/app/sign-in");
}
