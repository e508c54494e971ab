import type { ReactNode } from "react";

/** Icons on a 16 by 16 grid in the text colour. They are decorative; a label always carries the meaning. */
const PATHS = {
  runs: <path d="M5 3.2v9.6L12.5 8z" />,
  threads: <path d="M2.5 3.5h11v7h-6l-3 2.5v-2.5h-2z" />,
  assistants: <path d="M8 2.5v2M3.5 4.5h9v8h-9zM6 7.5v1.5M10 7.5v1.5" />,
  server: <path d="M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01" />,
  menu: <path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11" />,
  close: <path d="m4 4 8 8M12 4l-8 8" />,
  check: <path d="m3 8.5 3.5 3.5L13 4.5" />,
  down: <path d="m4 6 4 4 4-4" />,
  right: <path d="m6 4 4 4-4 4" />,
  left: <path d="m10 4-4 4 4 4" />,
  up: <path d="m4 10 4-4 4 4" />,
  search: <path d="M7 11.5a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9zM10.3 10.3l3.2 3.2" />,
  copy: <path d="M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3" />,
  sun: (
    <path d="M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9" />
  ),
  moon: <path d="M13 9.6A5.5 5.5 0 0 1 6.4 3 5.5 5.5 0 1 0 13 9.6z" />,
  screen: <path d="M2 3h12v8.5H2zM6 14h4M8 11.5V14" />,
  keys: <path d="M1.5 4h13v8h-13zM4 6.7h.01M6.7 6.7h.01M9.3 6.7h.01M12 6.7h.01M5 9.5h6" />,
  more: <path d="M3.5 8h.01M8 8h.01M12.5 8h.01" strokeWidth="2.4" />,
  plus: <path d="M8 3v10M3 8h10" />,
  minus: <path d="M3 8h10" />,
  refresh: <path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3" />,
  trash: <path d="M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9M6.8 7v4M9.2 7v4" />,
  stop: <path d="M4 4h8v8H4z" />,
  pause: <path d="M5.5 3.5v9M10.5 3.5v9" />,
  edit: <path d="m3 13 .7-3L10.5 3.2l2.3 2.3L6 12.3z" />,
  fork: <path d="M4.5 5.5v5M4.5 8h4.5a2.5 2.5 0 0 0 2.5-2.5M4.5 2.8v.2M4.5 13v.2M11.5 2.8v.2" />,
  send: <path d="m2.5 13 11-5-11-5v4l6 1-6 1z" />,
  warning: <path d="M8 2.2 14.5 13.5h-13zM8 6.5v3M8 11.5h.01" />,
  info: <path d="M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8zM8 7.3v3.7M8 5h.01" />,
  link: <path d="M9.5 3h3.5v3.5M13 3 7.5 8.5M11 9.5V13H3V5h3.5" />,
  clock: <path d="M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8zM8 4.5V8l2.5 1.5" />,
  fit: <path d="M3 6V3h3M13 6V3h-3M3 10v3h3M13 10v3h-3" />,
  open: <path d="m4.5 6 3.5-3.5L11.5 6M4.5 10 8 13.5l3.5-3.5" />,
  fold: <path d="M4.5 2.5 8 6l3.5-3.5M4.5 13.5 8 10l3.5 3.5" />,
  across: <path d="M2.5 8h11M10 4.5 13.5 8 10 11.5" />,
  downward: <path d="M8 2.5v11M4.5 10 8 13.5l3.5-3.5" />,
  filter: <path d="M2.5 4h11M4.5 8h7M6.5 12h3" />,
  person: <path d="M8 7.5a2.7 2.7 0 1 1 0-5.4 2.7 2.7 0 0 1 0 5.4zM2.8 13.8c.4-2.8 2.5-4.3 5.2-4.3s4.8 1.5 5.2 4.3" />,
  tool: (
    <path
      d="M9.8 6.2A3.3 3.3 0 0 1 13.6 3l-2 2 .3 1.6 1.6.3 2-2a3.3 3.3 0 0 1-4.3 3.9l-5.6 5.6-1.7-1.7z"
      transform="translate(-1 -.2)"
    />
  ),
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {PATHS[name]}
    </svg>
  );
}
