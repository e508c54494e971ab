import { callWithHeaders, keys, useListing, type ListPage } from "../../api";
import { oneOf, useNow, useUrl } from "../../kit";
import { searchOf, type Filter } from "./filter";
import type { RunRow } from "./run";

const PAGE = 100;
const LOOK_MS = 2000;

export const SORTS = ["created_at", "started_at", "finished_at", "duration"] as const;

/** The filter that stands in the URL. */
export function useFilter(): Filter {
  const { get, all } = useUrl();
  return {
    statuses: all("status"),
    assistant: get("assistant"),
    text: get("q"),
    since: get("since"),
    sort: oneOf(SORTS, get("sort")),
    descending: get("order") !== "asc",
  };
}

/** The list as the URL asks for it. */
export function useRuns(filter: Filter) {
  const { body, error } = searchOf(filter, useNow(60_000));
  const listing = useListing({
    queryKey: keys.runs("list", body),
    first: null,
    fetch: async (after: string | null, signal): Promise<ListPage<RunRow, string | null>> => {
      const asked = { ...body, limit: PAGE, ...(after === null ? {} : { after }) };
      const { json, headers } = await callWithHeaders("POST", "/runs/search", { body: asked, signal });
      return { items: json as RunRow[], next: headers.get("x-pagination-next") };
    },
    id: (run) => run.run_id,
    everyMs: LOOK_MS,
  });
  return { ...listing, error };
}
