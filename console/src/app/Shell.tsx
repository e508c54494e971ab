import { useState } from "react";
import { Link, Outlet, useLocation, useNavigate } from "react-router";

import { credentials, signOut, useExternal } from "../api";
import { Icon, IconButton, Toasts, useHotkeys, type IconName } from "../kit";
import { KeyboardHelp } from "./KeyboardHelp";
import { ConnectionLost } from "./ConnectionLost";
import styles from "./shell.module.css";
import { SignIn } from "./SignIn";
import { chooseTheme, theme, THEMES, type Theme } from "./theme";
import { Version } from "./Version";

const PLACES: readonly { to: string; label: string; icon: IconName; key: string }[] = [
  { to: "/runs", label: "Runs", icon: "runs", key: "1" },
  { to: "/threads", label: "Threads", icon: "threads", key: "2" },
  { to: "/assistants", label: "Assistants", icon: "assistants", key: "3" },
  { to: "/server", label: "Server", icon: "server", key: "4" },
];

/** The frame around every page: navigation, sign-in, notifications. */
export function Shell() {
  const [help, setHelp] = useState(false);
  useShellKeys(() => setHelp(true));
  const here = placeOf(useLocation().pathname);
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#main">
        Skip to content
      </a>
      <div className={styles.side}>
        <Link to="/runs" className={styles.brand} aria-label="treadle console">
          <Logo />
          <span>treadle</span>
        </Link>
        <nav aria-label="Pages">
          <ul className={styles.nav}>
            {PLACES.map((place) => (
              <li key={place.to}>
                <Link to={place.to} aria-current={place === here ? "page" : undefined}>
                  <Icon name={place.icon} />
                  {place.label}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className={styles.low}>
          <Version />
          <div className={styles.tools}>
            <ThemeButton />
            <IconButton icon="keys" label="Keyboard shortcuts (?)" onClick={() => setHelp(true)} />
            <SignOut />
          </div>
        </div>
      </div>
      <ConnectionLost />
      <main id="main" className={styles.main} tabIndex={-1}>
        <Outlet />
      </main>
      <SignIn />
      <KeyboardHelp open={help} onClose={() => setHelp(false)} />
      <Toasts />
    </div>
  );
}

/** The navigation entry of a path. A run belongs to Runs although its path starts with its thread. */
function placeOf(path: string) {
  if (/^\/threads\/[^/]+\/runs\//.test(path)) return PLACES[0];
  return PLACES.find(({ to }) => path === to || path.startsWith(`${to}/`));
}

function useShellKeys(showHelp: () => void): void {
  const navigate = useNavigate();
  const focus = (selector: string) => document.querySelector<HTMLElement>(selector)?.focus();
  useHotkeys([
    { key: "?", does: "Show this list", run: showHelp },
    { key: "/", does: "Focus the search field", run: () => focus("[data-filter]") },
    { key: "g", does: "Focus the table", run: () => focus("[data-table]") },
    ...PLACES.map(({ key, label, to }) => ({ key, does: `Go to ${label}`, run: () => void navigate(to) })),
  ]);
}

const SYMBOLS: Record<Theme, IconName> = { system: "screen", light: "sun", dark: "moon" };

function ThemeButton() {
  const chosen = useExternal(theme);
  const next = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length] ?? "system";
  return <IconButton icon={SYMBOLS[chosen]} label={`Theme: ${chosen}`} onClick={() => chooseTheme(next)} />;
}

function SignOut() {
  const known = useExternal(credentials);
  if (known === null) return null;
  const leave = () => {
    signOut();
    // Reload so that no data read with the credentials stays on the screen or in memory.
    window.location.reload();
  };
  return <IconButton icon="person" label="Sign out" onClick={leave} />;
}

function Logo() {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <path d="M2 4.5h12M2 8h12M2 11.5h12M5.5 2v4M10.5 6v4M5.5 10v4" />
    </svg>
  );
}
