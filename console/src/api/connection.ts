import { External } from "./external";

/**
 * What the last answers said of the server: `refused` is a 401 or 403 for who we are, `lost` that nothing answers.
 * Calls report here; the shell shows it and looks again by itself.
 */
export type Connection =
  { kind: "fine" } | { kind: "lost"; since: number } | { kind: "refused"; status: 401 | 403; detail: string };

const FINE: Connection = { kind: "fine" };

export const connection = new External<Connection>(FINE);

export function reportAnswer(): void {
  if (connection.get().kind === "lost") connection.set(FINE);
}

export function reportUnreachable(): void {
  if (connection.get().kind === "fine") connection.set({ kind: "lost", since: Date.now() });
}

/** For 401, and for 403 while nobody is signed in: later that means that one thing is not allowed. */
export function reportRefused(status: 401 | 403, detail: string): void {
  // Several calls are refused at once; the first one asks.
  if (connection.get().kind !== "refused") connection.set({ kind: "refused", status, detail });
}

export function reportSignedIn(): void {
  connection.set(FINE);
}
