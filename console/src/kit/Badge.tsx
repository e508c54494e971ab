import type { ReactNode } from "react";

import styles from "./badge.module.css";
import { classes } from "./classes";

export type Tone = "idle" | "good" | "bad" | "warn" | "busy" | "plum";

export function Badge({ tone = "idle", title, children }: { tone?: Tone; title?: string; children: ReactNode }) {
  return (
    <span className={classes(styles.badge, styles[tone])} title={title}>
      {children}
    </span>
  );
}

const TONES: Record<string, Tone> = {
  pending: "idle",
  running: "busy",
  busy: "busy",
  success: "good",
  idle: "idle",
  error: "bad",
  timeout: "plum",
  interrupted: "warn",
  rolled_back: "idle",
  delivered: "good",
  failed: "bad",
};

/** The tone of a run, thread or delivery status. */
export function toneOf(status: string): Tone {
  return TONES[status] ?? "idle";
}

/** The wire status `interrupted` of a run means that it was cancelled. */
export function runStatusText(status: string): string {
  return status === "interrupted" ? "cancelled" : status.replaceAll("_", " ");
}

/** A status with a dot: pulsing while running, hollow while waiting. `label` replaces the text of the status. */
export function StatusBadge({ status, label, title }: { status: string; label?: string; title?: string }) {
  const running = status === "running" || status === "busy";
  const waiting = status === "pending" || status === "idle";
  return (
    <Badge tone={toneOf(status)} {...(title === undefined ? {} : { title })}>
      <span className={classes(styles.dot, running && styles.pulse, waiting && styles.hollow)} aria-hidden="true" />
      {label ?? status.replaceAll("_", " ")}
    </Badge>
  );
}
