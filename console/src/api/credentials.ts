import { External } from "./external";

/** What every call of the API carries, as the user entered it: `{ name: "Authorization", value: "Bearer …" }`. */
export type Credentials = { name: string; value: string };

// The tab's own storage: gone with the tab, and no other origin's.
const PLACE = "treadle.credentials";

function stored(): Credentials | null {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    if (value === null || typeof value !== "object" || !("name" in value) || !("value" in value)) return null;
    return { name: String(value.name), value: String(value.value) };
  } catch {
    return null;
  }
}

export const credentials = new External<Credentials | null>(stored());

export function signIn(entered: Credentials): void {
  sessionStorage.setItem(PLACE, JSON.stringify(entered));
  credentials.set(entered);
}

export function signOut(): void {
  sessionStorage.removeItem(PLACE);
  credentials.set(null);
}
