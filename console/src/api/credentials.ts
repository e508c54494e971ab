import { External } from "./external";

/** The header sent with every API call: `{ name: "Authorization", value: "Bearer …" }`. */
export type Credentials = { name: string; value: string };

// A key of sessionStorage, which is cleared with the tab and invisible to other origins.
const STORAGE_KEY = "treadle.credentials";

function stored(): Credentials | null {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "null");
    if (value === null || typeof value !== "object" || !("name" in value) || !("value" in value)) return null;
    return { name: String(value.name), value: String(value.value) };
  } catch {
    return null;
  }
}

export const credentials = new External<Credentials | null>(stored());

export function signIn(entered: Credentials): void {
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify(entered));
  credentials.set(entered);
}

export function signOut(): void {
  sessionStorage.removeItem(STORAGE_KEY);
  credentials.set(null);
}
