import { syntaxErrorAt } from "./jsonSyntax";

/** The value of JSON text, or the syntax error with its line and column (from 1). */
export type Parsed = { ok: true; value: unknown } | { ok: false; message: string };

/** Parse JSON; empty text is undefined. */
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

/** Summarize an object of a tree: `{id, name, …}` if collapsed, `{3}` if expanded. */
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
  const fault = at === text.length ? "unexpected end" : `unexpected ${JSON.stringify(text[at])}`;
  return `Not valid JSON: ${fault} (line ${before.length}, column ${(before.at(-1) ?? "").length + 1})`;
}
