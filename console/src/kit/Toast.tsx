import { useEffect, useState } from "react";

import { External, messageOf, useExternal } from "../api";
import { Button, IconButton } from "./Button";
import { classes } from "./classes";
import styles from "./toast.module.css";

type ToastAction = { label: string; run: () => void };
type ToastEntry = { id: number; text: string; bad: boolean; action: ToastAction | undefined };

const SHOWN_MS = 6_000;
const AT_MOST = 4;

const toasts = new External<readonly ToastEntry[]>([]);
let last = 0;

function show(text: string, bad: boolean, action?: ToastAction): void {
  last += 1;
  toasts.set([...toasts.get(), { id: last, text, bad, action }].slice(-AT_MOST));
}

function drop(id: number): void {
  toasts.set(toasts.get().filter((each) => each.id !== id));
}

export const toast = {
  /** Report success: "Run cancelled". */
  good: (text: string, action?: ToastAction) => show(text, false, action),
  /** Report a failure: `toast.bad("Failed to cancel the run", error)`. */
  bad: (text: string, error?: unknown) => show(error === undefined ? text : `${text}: ${messageOf(error)}`, true),
};

/** The region that shows toasts; mounted once by the shell. */
export function Toasts() {
  const shown = useExternal(toasts);
  return (
    <div className={styles.region} role="region" aria-label="Notifications" aria-live="polite">
      {shown.map((entry) => (
        <OneToast key={entry.id} entry={entry} />
      ))}
    </div>
  );
}

function OneToast({ entry }: { entry: ToastEntry }) {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => drop(entry.id), entry.bad ? SHOWN_MS * 2 : SHOWN_MS);
    return () => clearTimeout(timer);
  }, [entry, held]);
  return (
    // Keep the toast while it is hovered or focused.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className={classes(styles.toast, entry.bad && styles.bad)}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <span className={styles.text}>{entry.text}</span>
      {entry.action && (
        <Button
          small
          kind="quiet"
          onClick={() => {
            entry.action?.run();
            drop(entry.id);
          }}
        >
          {entry.action.label}
        </Button>
      )}
      <IconButton icon="close" label="Dismiss" small onClick={() => drop(entry.id)} />
    </div>
  );
}
