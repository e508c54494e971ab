import type { Assistant } from "@langchain/langgraph-sdk";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

import { keys, page, type Page } from "../../api";
import { oneOf, useUrl } from "../../kit";

export type { Assistant };

const PAGE = 100;
const LOOK_MS = 5000;

export const SORTS = ["updated_at", "name", "graph_id", "created_at"] as const;

/** The list by the filter that stands in the URL (`?q=&sort=&order=`). */
export function useAssistants() {
  const { get } = useUrl();
  const name = get("q").trim();
  const sort = oneOf(SORTS, get("sort"));
  const order = get("order") === "asc" ? "asc" : "desc";
  const asked = { ...(name === "" ? {} : { name }), sort_by: sort, sort_order: order, limit: PAGE };
  const query = useInfiniteQuery({
    queryKey: keys.assistants("list", asked),
    queryFn: ({ pageParam: offset, signal }): Promise<Page<Assistant>> =>
      page("POST", "/assistants/search", { body: { ...asked, offset }, signal }),
    initialPageParam: 0,
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    refetchInterval: LOOK_MS,
  });
  const pages = query.data?.pages;
  const assistants = useMemo(
    () => pages && [...new Map(pages.flatMap((each) => each.items).map((each) => [each.assistant_id, each])).values()],
    [pages],
  );
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  return {
    query: { data: assistants, error: query.error, refetch: query.refetch },
    sorting: { by: sort, descending: order === "desc" },
    total: pages?.at(-1)?.total ?? null,
    filtered: name !== "",
    more,
  };
}
