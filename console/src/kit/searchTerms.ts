/** Parses the text of a list's search field: `name:value`, `key=value` and ids. */

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export type SearchTerm = { text: string; id: string | null; name: string; sign: ":" | "=" | null; value: string };

/** Split a text into terms. `id` is set if the term or its value is a full id. */
export function searchTerms(text: string): SearchTerm[] {
  return text.split(/\s+/).filter(Boolean).map(parseTerm);
}

function parseTerm(text: string): SearchTerm {
  const [, name = "", sign = "", value = ""] = /^([^:=]+)([:=])(.*)$/.exec(text) ?? [];
  const id = name === "" ? text : value;
  const known = { text, id: ID.test(id) ? id.toLowerCase() : null };
  if (sign !== ":" && sign !== "=") return { ...known, name: "", sign: null, value: text };
  return { ...known, name, sign, value };
}

/** Parse a metadata value: a number, true, false or null; anything else, or in quotes, is a string. */
export function metadataValue(text: string): unknown {
  if (/^(true|false|null|-?\d+(\.\d+)?)$/.test(text)) return JSON.parse(text);
  return text.replace(/^"(.*)"$/, "$1");
}
