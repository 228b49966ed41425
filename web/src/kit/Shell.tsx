import { Menu } from "@mantine/core";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { createPortal } from "react-dom";
import { Link, NavLink } from "react-router";
import { Avatar } from "./bits";
import { IconButton } from "./Button";
import { Icon, type IconName, Mark } from "./Icon";
import { useNow } from "./now";
import { toggleScheme } from "./theme";
import { clock, type Place } from "./time";

export interface RailRoom {
  to: string;
  label: string;
  icon: IconName;
  keyHint?: string;
  /** Amber: so many things need a person. */
  count?: number;
  /** At the bottom of the rail. */
  end?: boolean;
}

export interface ShellProps {
  rooms: readonly RailRoom[];
  home: string;
  user: { name: string; line?: string; on?: boolean };
  search?: ReactNode;
  demonstration?: boolean;
  /** Shown when the page names none. */
  places: readonly Place[];
  menu?: ReactNode;
  onSignOut: () => void;
  children: ReactNode;
}

interface Slots {
  title: HTMLElement | null;
  clocks: HTMLElement | null;
  claimClocks: (claimed: boolean) => void;
}

const SlotsContext = createContext<Slots>({ title: null, clocks: null, claimClocks: () => undefined });

/** The frame of every room: the rail of the rooms this person may enter, the bar, the room. */
export function Shell({ rooms, home, user, search, demonstration, places, menu, onSignOut, children }: ShellProps) {
  const [title, setTitle] = useState<HTMLElement | null>(null);
  const [clocks, setClocks] = useState<HTMLElement | null>(null);
  const [claimed, setClaimed] = useState(false);
  const rail = (room: RailRoom) => (
    <NavLink key={room.to} to={room.to} title={room.keyHint ? `${room.label} (${room.keyHint.toUpperCase()})` : room.label} aria-label={room.count ? `${room.label}, ${room.count} need a person` : room.label}>
      <Icon name={room.icon} size={18} />
      {room.count ? <span className="n">{room.count}</span> : null}
    </NavLink>
  );
  return (
    <div className="app">
      <a className="btn skip" href="#main">
        Skip to the page
      </a>
      <nav className="rail" aria-label="Rooms">
        <Link className="mark" to={home} aria-label="Heliograph, to the first room">
          <Mark />
        </Link>
        {rooms.filter((room) => !room.end).map(rail)}
        <span className="end" />
        {rooms.filter((room) => room.end).map(rail)}
      </nav>
      <header className="topbar">
        <div ref={setTitle} className="row" style={{ minWidth: 0, flex: "0 0.05 auto" }} />
        <span className="grow" />
        {search}
        {demonstration && <DemonstrationMark />}
        <div ref={setClocks} style={{ display: "contents" }} />
        {!claimed && <Clocks places={places} />}
        <IconButton label="Dark or light" icon="sun" keyHint="Shift+D" onClick={toggleScheme} />
        <Menu>
          <Menu.Target>
            <button type="button" className="me">
              <Avatar name={user.name} on={user.on} />
              <span className="col" style={{ lineHeight: "15px" }}>
                <span className="m">{user.name}</span>
                {user.line && <span className="q mi">{user.line}</span>}
              </span>
            </button>
          </Menu.Target>
          <Menu.Dropdown>
            {menu}
            <Menu.Item leftSection={<Icon name="signout" />} onClick={onSignOut}>
              Sign out
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </header>
      <main className="main" id="main" tabIndex={-1}>
        <SlotsContext value={{ title, clocks, claimClocks: setClaimed }}>{children}</SlotsContext>
      </main>
    </div>
  );
}

export function DemonstrationMark() {
  return (
    <span className="demo" title="One region serves all clients of this demonstration network">
      DEMONSTRATION
    </span>
  );
}

/** A clock for each place, and UTC last. */
export function Clocks({ places }: { places: readonly Place[] }) {
  const now = useNow();
  const shown = places.filter((place, index) => places.findIndex((other) => other.label === place.label) === index && place.zone !== "UTC");
  return (
    <span className="clocks">
      {[...shown, { zone: "UTC", label: "UTC" }].map((place) => (
        <span key={place.label}>
          {place.label} <b>{clock(now, place.zone)}</b>
        </span>
      ))}
    </span>
  );
}

export interface PageProps {
  title: ReactNode;
  /** Where this page lies: "Command centre". */
  crumb?: { label: string; to: string };
  /** Beside the title: a chip with the state. */
  chip?: ReactNode;
  /** The window's title. Never patient data: it lands in histories and screen shares. */
  windowTitle: string;
  /** Clocks for this page, the site's first; else the shell's. */
  places?: readonly Place[];
  children: ReactNode;
}

/** A room's page: puts its title and clocks in the bar. */
export function Page({ title, crumb, chip, windowTitle, places, children }: PageProps) {
  const slots = useContext(SlotsContext);
  const { claimClocks } = slots;
  const claims = places !== undefined;
  useEffect(() => {
    document.title = `${windowTitle} · Heliograph`;
  }, [windowTitle]);
  useEffect(() => {
    claimClocks(claims);
    return () => claimClocks(false);
  }, [claims, claimClocks]);
  return (
    <>
      {slots.title &&
        createPortal(
          <>
            <h1>
              {crumb && (
                <span className="crumb">
                  <Link to={crumb.to}>{crumb.label}</Link> /
                </span>
              )}
              {title}
            </h1>
            {chip}
          </>,
          slots.title,
        )}
      {slots.clocks && places && createPortal(<Clocks places={places} />, slots.clocks)}
      {children}
    </>
  );
}
