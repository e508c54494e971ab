import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

/** One page of a list. `next` is the cursor of the next page, null at the end. */
export type ListPage<T, C> = { items: T[]; next: C | null; total?: number | null };

type ListingOptions<T, C> = {
  queryKey: readonly unknown[];
  first: C;
  fetch: (cursor: C, signal: AbortSignal) => Promise<ListPage<T, C>>;
  id: (item: T) => string;
  /** Polling interval while one page is loaded. */
  everyMs: number;
};

export type Listing<T> = {
  /** The query to pass to `Loaded`. */
  query: { data: T[] | undefined; error: unknown; refetch: () => unknown };
  /** The number of items on the server, if it reports one. */
  total: number | null;
  hasMore: boolean;
  /** Load the next page. A stable function that may be called at any time. */
  more: () => void;
};

/** A paged list that polls. The interval grows with the number of loaded pages. */
export function useListing<T, C>({ queryKey, first, fetch, id, everyMs }: ListingOptions<T, C>): Listing<T> {
  const query = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) => fetch(pageParam as C, signal),
    initialPageParam: first,
    getNextPageParam: (last: ListPage<T, C>) => last.next,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => everyMs * Math.max(1, state.data?.pages.length ?? 1),
  });
  const pages = query.data?.pages;
  // Structural sharing keeps unchanged pages identical; `id` is a new but equivalent function in every render.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const items = useMemo(() => pages && unique(pages, id), [pages]);
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  return {
    query: { data: items, error: query.error, refetch: query.refetch },
    total: pages?.at(-1)?.total ?? null,
    hasMore: hasNextPage,
    more,
  };
}

/** Show an item once even if it moved to another page between two requests. */
function unique<T>(pages: readonly ListPage<T, unknown>[], id: (item: T) => string): T[] {
  return [...new Map(pages.flatMap((page) => page.items).map((item) => [id(item), item])).values()];
}
