import { External } from "./external";

/**
 * The state of the connection: `refused` after a 401 or 403 for the current user, `lost` while the server is unreachable.
 * Calls report to it; the shell shows it and polls until the server is back.
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

/** Report a 401, or a 403 while signed out. A 403 while signed in only means that one action is forbidden. */
export function reportRefused(status: 401 | 403, detail: string): void {
  // Several calls fail at once; the first one opens the sign-in dialog.
  if (connection.get().kind !== "refused") connection.set({ kind: "refused", status, detail });
}

export function reportSignedIn(): void {
  connection.set(FINE);
}
