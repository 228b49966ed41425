import { Menu } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Navigate, Outlet, useLocation, useNavigate } from "react-router";
import { api, ApiError, queryClient } from "../../api/client";
import { startLive } from "../../api/live";
import { acceptSession, firstRoom, hasRole, herePlace, mayEnter, seesPatients, sessionQuery, signOut, useSession } from "../../api/session";
import type { RoomName, Session } from "../../api/types";
import { Icon } from "../../kit/Icon";
import { type KeyAction, useKeys } from "../../kit/keys";
import { useNow } from "../../kit/now";
import { type RailRoom, Shell } from "../../kit/Shell";
import { ErrorState, SkeletonRows } from "../../kit/states";
import { near } from "../../kit/time";
import { toast } from "../../kit/toast";
import { ViewerHost } from "../read/viewer/Host";
import { NotHere } from "./pages";
import { SearchBox } from "./SearchBox";

const ROOMS: Partial<Record<RoomName, RailRoom>> = {
  list: { to: "/list", label: "My list", icon: "list", keyHint: "g l" },
  board: { to: "/board", label: "Command centre", icon: "board", keyHint: "g b" },
  site: { to: "/site", label: "Site", icon: "site", keyHint: "g s" },
  admin: { to: "/admin", label: "Administration", icon: "settings", keyHint: "g a", end: true },
};

/** The log of HL7 messages is for those who look after a site's orders and reports. */
const MESSAGES: RailRoom = { to: "/messages", label: "Message log", icon: "document", keyHint: "g m" };

/** The same people decide about what came and could not be filed. */
const QUARANTINE: RailRoom = { to: "/quarantine", label: "Quarantine", icon: "shield", keyHint: "g q" };

/** And about images that are hidden. */
const HIDDEN: RailRoom = { to: "/hidden", label: "Hidden images", icon: "eye", keyHint: "g h" };

/** And whose they are: two patients who are one, studies of the wrong one. */
const PATIENTS: RailRoom = { to: "/patients", label: "Patients", icon: "people", keyHint: "g p" };

/** And fetch priors from other archives and send studies to them. */
const TRANSFERS: RailRoom = { to: "/transfers", label: "Transfers", icon: "handback", keyHint: "g t" };

/** An auditor's first room; others come to a case from their own. */
const CASES: RailRoom = { to: "/case", label: "Cases", icon: "timeline", keyHint: "g c" };

/** Everything behind the sign-in. */
export function Layout() {
  const session = useQuery(sessionQuery);
  const location = useLocation();
  if (session.data) return <SignedIn session={session.data} />;
  if (session.error instanceof ApiError && session.error.status === 401) {
    const place = location.pathname + location.search;
    return <Navigate to={place === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(place)}`} replace />;
  }
  if (session.error) return <ErrorState error={session.error} retry={() => void session.refetch()} />;
  return <SkeletonRows rows={3} />;
}

function SignedIn({ session }: { session: Session }) {
  const navigate = useNavigate();
  const userId = session.user.id;
  useEffect(() => startLive(queryClient), [userId]);
  const room = useLocation().pathname.split("/")[1] ?? "";
  const rooms = session.rooms.flatMap((name) => ROOMS[name] ?? []);
  if (hasRole(session, "auditor")) rooms.push(CASES);
  if (hasRole(session, "coordinator") || hasRole(session, "site_staff")) rooms.push(PATIENTS, MESSAGES, QUARANTINE, HIDDEN, TRANSFERS);
  useKeys(
    "Everywhere",
    rooms.map((room): KeyAction => ({ id: `go.${room.to}`, keys: [room.keyHint ?? ""], label: `Go to ${room.label}`, run: () => void navigate(room.to) })),
  );
  const leave = async () => {
    try {
      await signOut();
    } catch {
      toast({ tone: "warn", text: "Not signed out: the server does not answer. Try again." });
    }
  };
  return (
    <Shell
      rooms={rooms}
      home={firstRoom(session)}
      user={{ name: session.user.display_name, line: useLine(session), on: session.reader?.on_shift_until != null }}
      demonstration={session.demonstration}
      places={[herePlace(session)]}
      search={seesPatients(session) ? <SearchBox /> : undefined}
      menu={<PlaceMenu />}
      onSignOut={() => void leave()}
    >
      {mayEnter(session, room) ? <Outlet /> : <NotHere />}
      <ViewerHost />
    </Shell>
  );
}

const ROLE_WORDS = { reader: "Reader", coordinator: "Coordinator", site_staff: "Site", administrator: "Administrator", auditor: "Auditor" } as const;

/** Under the name: how long on, or in which role and where. */
function useLine(session: Session): string {
  const now = useNow();
  const until = session.reader?.on_shift_until;
  if (until) return `On until ${near(until, herePlace(session).zone, now)}`;
  const role = session.roles[0];
  return role ? `${ROLE_WORDS[role.role]}, ${role.organization_name}` : session.is_operator ? "Operator" : "";
}

/** A reader says where they sit: some clients allow only some places. */
function PlaceMenu() {
  const session = useSession();
  const reader = session.reader;
  if (!reader || reader.places.length === 0) return null;
  const choose = async (id: string, name: string) => {
    try {
      acceptSession(await api.post<Session>("/api/session/place", { place_id: id }));
      toast({ tone: "done", text: `You read from ${name}` });
      void queryClient.invalidateQueries({ predicate: (query) => query.meta?.topics !== undefined });
    } catch (error) {
      toast({ tone: "warn", text: error instanceof Error ? error.message : "The place was not changed" });
    }
  };
  return (
    <>
      <Menu.Label>I read from</Menu.Label>
      {reader.places.map((place) => (
        <Menu.Item key={place.id} rightSection={reader.place?.name === place.name ? <Icon name="check" size={14} /> : undefined} onClick={() => void choose(place.id, place.name)}>
          {place.name} <span className="f mi">{place.jurisdiction}</span>
        </Menu.Item>
      ))}
      <Menu.Divider />
    </>
  );
}

export function Home() {
  return <Navigate to={firstRoom(useSession())} replace />;
}
