import { keys, page, useListing } from "../../api";
import { oneOf, useUrl } from "../../kit";
import { searchOf, SORTS } from "./filter";
import { EXTRACT, SELECT, type ThreadRow } from "./preview";

const PAGE = 100;
const LOOK_MS = 3000;

/** The list as the URL asks for it. */
export function useThreads() {
  const { get } = useUrl();
  const { body, error } = searchOf(get("status"), get("q"));
  const sort = oneOf(SORTS, get("sort"));
  const order = get("order") === "asc" ? "asc" : "desc";
  const asked = { ...body, sort_by: sort, sort_order: order, select: SELECT, extract: EXTRACT, limit: PAGE };
  const listing = useListing({
    queryKey: keys.threads("list", asked),
    first: 0,
    fetch: (offset, signal) => page<ThreadRow>("POST", "/threads/search", { body: { ...asked, offset }, signal }),
    id: (thread) => thread.thread_id,
    everyMs: LOOK_MS,
  });
  return { ...listing, sorting: { by: sort, descending: order === "desc" }, error };
}
