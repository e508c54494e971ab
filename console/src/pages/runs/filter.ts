/** What the list shows, as it stands in the URL. */
export type Filter = {
  statuses: readonly string[];
  assistant: string;
  /** `tag:nightly`, `customer=42`, `thread:<id>`, `run:<id>`; a bare id is a thread's. */
  text: string;
  since: string;
  sort: string;
  descending: boolean;
};

export const STATUSES = ["pending", "running", "success", "error", "timeout", "interrupted"] as const;

/** How far back, in milliseconds. */
export const SINCE: Record<string, number> = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000 };

export type Search = {
  status?: string[];
  assistant_id?: string;
  thread_id?: string;
  ids?: string[];
  tags?: string[];
  metadata?: Record<string, unknown>;
  created_after?: string;
  sort_by: string;
  sort_order: "asc" | "desc";
};

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The body of `POST /runs/search`, or what is wrong with the text. `now` in milliseconds. */
export function searchOf(filter: Filter, now: number): { body: Search; error: string | null } {
  const body: Search = { sort_by: filter.sort || "created_at", sort_order: filter.descending ? "desc" : "asc" };
  if (filter.statuses.length > 0) body.status = [...filter.statuses];
  if (filter.assistant !== "") body.assistant_id = filter.assistant;
  const span = SINCE[filter.since];
  // To the minute, so that the list stays the same list from one look to the next.
  if (span !== undefined) body.created_after = new Date(Math.floor((now - span) / 60_000) * 60_000).toISOString();
  let error: string | null = null;
  for (const word of filter.text.split(/\s+/).filter(Boolean)) error = add(body, word) ?? error;
  return { body, error };
}

function add(body: Search, word: string): string | null {
  const [, name = "", value = ""] = /^([^:=]*)[:=](.*)$/.exec(word) ?? [];
  if (name === "" && ID.test(word)) body.thread_id = word.toLowerCase();
  else if (name === "thread" || name === "run") return addId(body, name, value);
  else if (name === "tag" && value !== "") body.tags = [...(body.tags ?? []), value];
  else if (name !== "" && word[name.length] === "=") body.metadata = { ...body.metadata, [name]: valueOf(value) };
  else return `“${word}” is not understood: write tag:nightly, key=value, thread:… or run:…`;
  return null;
}

function addId(body: Search, name: "thread" | "run", value: string): string | null {
  if (!ID.test(value)) return `${name}: wants a whole id, such as 0197c1f2-….`;
  if (name === "thread") body.thread_id = value.toLowerCase();
  else body.ids = [...(body.ids ?? []), value.toLowerCase()];
  return null;
}

/** Metadata knows numbers, truth and null; anything else is text. */
function valueOf(text: string): unknown {
  if (/^(true|false|null|-?\d+(\.\d+)?)$/.test(text)) return JSON.parse(text);
  return text.replace(/^"(.*)"$/, "$1");
}
