import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

import { answered, keys } from "../../api";
import { oneOf, useNow, useUrl } from "../../kit";
import { searchOf, type Filter } from "./filter";
import type { FoundRun } from "./run";

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

type RunPage = { runs: FoundRun[]; next: string | null };

/** The list, newest pages first, looked at again every few seconds: less often the more of it is open. */
export function useRuns(filter: Filter) {
  const now = useNow(60_000);
  const { body, error } = searchOf(filter, now);
  const query = useInfiniteQuery({
    queryKey: keys.runs("list", body),
    queryFn: async ({ pageParam, signal }): Promise<RunPage> => {
      const asked = { ...body, limit: PAGE, ...(pageParam === null ? {} : { after: pageParam }) };
      const { json, headers } = await answered("POST", "/runs/search", { body: asked, signal });
      return { runs: json as FoundRun[], next: headers.get("x-pagination-next") };
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => LOOK_MS * Math.max(1, state.data?.pages.length ?? 1),
  });
  const pages = query.data?.pages;
  const runs = useMemo(() => pages && unique(pages.flatMap((page) => page.runs)), [pages]);
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  return { query: { data: runs, error: query.error, refetch: query.refetch }, more, hasMore: hasNextPage, error };
}

/** A run that changed its place between two pages of one look is shown once. */
function unique(runs: readonly FoundRun[]): FoundRun[] {
  return [...new Map(runs.map((run) => [run.run_id, run])).values()];
}
