import { syntaxErrorAt } from "./jsonSyntax";

/** JSON read from what a user typed: the value, or what is wrong and where (lines and columns from 1). */
export type Parsed = { ok: true; value: unknown } | { ok: false; message: string };

/** Empty text is `undefined`: nothing given. */
export function parseJson(text: string): Parsed {
  if (text.trim() === "") return { ok: true, value: undefined };
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false, message: explain(text) };
  }
}

export function formatJson(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value, null, 2);
}

/** A branch of a tree in a few words: `{id, name, …}` while it is closed, `3 keys` while it is open. */
export function summary(value: object, opened: boolean): string {
  if (Array.isArray(value)) return `[${value.length}]`;
  const keys = Object.keys(value);
  if (opened) return `{${keys.length}}`;
  const named = keys.slice(0, 4).join(", ");
  return `{${named}${keys.length > 4 ? ", …" : ""}}`;
}

function explain(text: string): string {
  const at = syntaxErrorAt(text);
  if (at < 0) return "Not valid JSON";
  const before = text.slice(0, at).split("\n");
  const found = at === text.length ? "it ends too soon" : `${JSON.stringify(text[at])} cannot stand here`;
  return `Not valid JSON: ${found} (line ${before.length}, column ${(before.at(-1) ?? "").length + 1})`;
}
