import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

/** One page of a list: `next` is what to ask the next one with, null at the end. */
export type ListPage<T, C> = { items: T[]; next: C | null; total?: number | null };

type ListingOptions<T, C> = {
  queryKey: readonly unknown[];
  first: C;
  fetch: (cursor: C, signal: AbortSignal) => Promise<ListPage<T, C>>;
  id: (item: T) => string;
  /** How often to look again while one page is open. */
  everyMs: number;
};

export type Listing<T> = {
  /** For `Loaded`. */
  query: { data: T[] | undefined; error: unknown; refetch: () => unknown };
  /** All that there are, where the server says so. */
  total: number | null;
  hasMore: boolean;
  /** Asks for the next page; steady, and may be called at any time. */
  more: () => void;
};

/** A list that grows page by page and is looked at again by itself: less often the more of it is open. */
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
  // Structural sharing keeps pages that did not change; `id` is made anew with every render and means the same.
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

/** What moved from one page to another between two looks is shown once. */
function unique<T>(pages: readonly ListPage<T, unknown>[], id: (item: T) => string): T[] {
  return [...new Map(pages.flatMap((page) => page.items).map((item) => [id(item), item])).values()];
}
