/** Line icons on a 16 px grid, stroked in the text's colour. */
const PATHS = {
  list: "M2.5 4h11M2.5 8h11M2.5 12h7",
  eye: "M1.5 8s2.4-4.3 6.5-4.3S14.5 8 14.5 8 12.1 12.3 8 12.3 1.5 8 1.5 8ZM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  board: "M2 2.5h5v5H2zM9 2.5h5v3H9zM9 7.5h5v6H9zM2 9.5h5v4H2z",
  timeline: "M2 4.5h12M2 8h12M2 11.5h12M5 3v3M10 6.5v3M7 10v3",
  site: "M3 14V5l5-3 5 3v9M6.5 14v-3.5h3V14M6 6.5h4M8 4.6v3.8",
  people:
    "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c.3-2.6 2-4 4.5-4s4.2 1.4 4.5 4M10.5 3a2.3 2.3 0 0 1 0 4.4M12.3 9.9c1.3.6 2 1.8 2.2 3.6",
  shield: "M8 1.8 13.5 4v4c0 3.2-2.3 5.3-5.5 6.3C4.8 13.3 2.5 11.2 2.5 8V4ZM5.6 8l1.7 1.7L10.6 6.3",
  chart: "M2.5 13.5h11M4.5 11V7.5M8 11V3.5M11.5 11V6",
  kit: "M2.5 2.5h11v11h-11ZM8 2.5v11M2.5 8h11",
  settings:
    "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4ZM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3 14 14",
  bell: "M4 11V7a4 4 0 0 1 8 0v4l1 1H3ZM6.8 14h2.4",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  plus: "M8 3v10M3 8h10",
  columns: "M2.5 3h11v10h-11ZM6.2 3v10M9.9 3v10",
  spark: "M8 1.8 9.6 6.4 14.2 8 9.6 9.6 8 14.2 6.4 9.6 1.8 8 6.4 6.4Z",
  more: "M3.5 8h.1M8 8h.1M12.5 8h.1",
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  ask: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.2 6.3C6.3 5.2 7 4.7 8 4.7s1.8.6 1.8 1.5c0 1.3-1.8 1.3-1.8 2.7M8 10.9v.3",
  info: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.3v3.7M8 5v.3",
  warn: "M8 2.2 14.5 13.5h-13ZM8 6.5v3.5M8 11.7v.3",
  lock: "M4 7h8v6.5H4ZM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
  key: "M10.5 8.5a3 3 0 1 0-2.8-2L2.5 11.8v1.7h2v-1.3h1.3v-1.3h1.3l1-1",
  undo: "M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6M5.5 4 3 6.5 5.5 9",
  phone:
    "M3 2.5h2.5l1 3-1.5 1.2a8 8 0 0 0 4.3 4.3l1.2-1.5 3 1V13c0 .6-.4 1-1 1C6.5 14 2 9.5 2 3.5c0-.6.4-1 1-1Z",
  pen: "M3 13l.6-2.8L10.8 3l2.2 2.2-7.2 7.2ZM9.5 4.3l2.2 2.2",
  mic: "M8 10.5a2 2 0 0 0 2-2v-4a2 2 0 0 0-4 0v4a2 2 0 0 0 2 2ZM3.8 8.5a4.2 4.2 0 0 0 8.4 0M8 12.7V14.5",
  ruler: "M1.8 10.5 10.5 1.8l3.7 3.7-8.7 8.7ZM4.5 7.8l1.5 1.5M7 5.3l1.5 1.5",
  star: "M8 2l1.8 3.9 4.2.5-3.1 2.9.8 4.2L8 11.4l-3.7 2.1.8-4.2L2 6.4l4.2-.5Z",
  link: "M6.5 9.5 9.5 6.5M7 4.5l1-1a3 3 0 0 1 4.3 4.3l-1 1M9 11.5l-1 1a3 3 0 0 1-4.3-4.3l1-1",
  download: "M8 2.5V11M4.5 7.5 8 11l3.5-3.5M2.5 12v1.5h11V12",
  upload: "M8 11V2.5M4.5 6 8 2.5 11.5 6M2.5 10.5v3h11v-3",
  document: "M4 1.8h5.5L12.5 5v9.2H4ZM9.3 2v3.2h3.2M6 8h4.5M6 10.7h4.5",
  print: "M4.5 6V2.5h7V6M4.5 11.5H2.5V6h11v5.5h-2M4.5 9.5h7v4h-7Z",
  chevron: "M3.5 6 8 10.5 12.5 6",
  up: "M3.5 10 8 5.5 12.5 10",
  right: "M6 3.5 10.5 8 6 12.5",
  handback: "M3 5.5h9.5M10 3l2.5 2.5L10 8M13 10.5H3.5M6 8l-2.5 2.5L6 13",
  window: "M2.5 3.5h11v9h-11ZM2.5 6h11M9 9.5h3",
  images: "M2.5 4.5h8v8h-8ZM5 4.5v-2h8.5v8.5h-3",
  contrast: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 2v12M8 5h5M8 8h6M8 11h5",
  zoom: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3 14 14M5.2 7h3.6M7 5.2v3.6",
  hand: "M8 2v12M2 8h12M8 2 6.4 3.6M8 2l1.6 1.6M8 14l-1.6-1.6M8 14l1.6-1.6M2 8l1.6-1.6M2 8l1.6 1.6M14 8l-1.6-1.6M14 8l-1.6 1.6",
  scroll: "M8 2v12M8 2 5.5 4.5M8 2l2.5 2.5M8 14l-2.5-2.5M8 14l2.5-2.5",
  signout: "M6.5 2.5h-4v11h4M6 8h7.5M10.5 5l3 3-3 3",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16, className }: { name: IconName; size?: number; className?: string }) {
  return (
    <svg
      className={className}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.4}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** A mirror turned to the sun: our mark. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.8}
      strokeLinecap="round"
      aria-hidden="true"
    >
      <ellipse cx="8.5" cy="15.5" rx="4.2" ry="7" transform="rotate(45 8.5 15.5)" />
      <path d="M12.2 11.8 21.5 2.5M14.8 13.6 21 10.5M10.4 9.2 13.5 3" />
    </svg>
  );
}
