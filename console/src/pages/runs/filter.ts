import { metadataValue, searchTerms, type SearchTerm } from "../../kit/searchTerms";

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

/** The body of `POST /runs/search`, or what is wrong with the text. `now` in milliseconds. */
export function searchOf(filter: Filter, now: number): { body: Search; error: string | null } {
  const body: Search = { sort_by: filter.sort || "created_at", sort_order: filter.descending ? "desc" : "asc" };
  if (filter.statuses.length > 0) body.status = [...filter.statuses];
  if (filter.assistant !== "") body.assistant_id = filter.assistant;
  const span = SINCE[filter.since];
  // To the minute, so that the list stays the same list from one look to the next.
  if (span !== undefined) body.created_after = new Date(Math.floor((now - span) / 60_000) * 60_000).toISOString();
  let error: string | null = null;
  for (const word of searchTerms(filter.text)) error = add(body, word) ?? error;
  return { body, error };
}

function add(body: Search, { text, name, sign, value, id }: SearchTerm): string | null {
  if (name === "thread" || name === "run") {
    if (id === null) return `${name}: wants a whole id, such as 0197c1f2-….`;
    if (name === "thread") body.thread_id = id;
    else body.ids = [...(body.ids ?? []), id];
  } else if (sign === "=") body.metadata = { ...body.metadata, [name]: metadataValue(value) };
  else if (name === "tag" && value !== "") body.tags = [...(body.tags ?? []), value];
  else if (name === "" && id !== null) body.thread_id = id;
  else return `“${text}” is not understood: write tag:nightly, key=value, thread:… or run:…`;
  return null;
}
