import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

import { keys, page, type Page } from "../../api";
import { oneOf, useUrl } from "../../kit";
import { searchOf, SORTS } from "./filter";
import { EXTRACT, SELECT, type FoundThread } from "./preview";

const PAGE = 100;
const LOOK_MS = 3000;

/** The list, looked at again every few seconds: less often the more of it is open. */
export function useThreads() {
  const { get } = useUrl();
  const { body, error } = searchOf(get("status"), get("q"));
  const sort = oneOf(SORTS, get("sort"));
  const order = get("order") === "asc" ? "asc" : "desc";
  const asked = { ...body, sort_by: sort, sort_order: order, select: SELECT, extract: EXTRACT, limit: PAGE };
  const query = useInfiniteQuery({
    queryKey: keys.threads("list", asked),
    queryFn: ({ pageParam: offset, signal }): Promise<Page<FoundThread>> =>
      page("POST", "/threads/search", { body: { ...asked, offset }, signal }),
    initialPageParam: 0,
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => LOOK_MS * Math.max(1, state.data?.pages.length ?? 1),
  });
  const pages = query.data?.pages;
  const threads = useMemo(() => pages && unique(pages.flatMap((each) => each.items)), [pages]);
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  const total = pages?.at(-1)?.total ?? null;
  return {
    query: { data: threads, error: query.error, refetch: query.refetch },
    sorting: { by: sort, descending: order === "desc" },
    total,
    more,
    hasMore: hasNextPage,
    error,
  };
}

/** A thread that changed its place between two pages of one look is shown once. */
function unique(threads: readonly FoundThread[]): FoundThread[] {
  return [...new Map(threads.map((thread) => [thread.thread_id, thread])).values()];
}
