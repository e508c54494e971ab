import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { ApiError, call, client, keys, queries } from "../../api";
import type { CheckpointRef, Json, RunRow, ThreadHead, ThreadState } from "./types";

/** How often a thread is looked at while nothing is known to happen: runs may be started elsewhere. */
const LOOK_MS = 1500;
const HISTORY_PAGE = 60;
const RUNS_PAGE = 50;
const HEAD = ["thread_id", "status", "created_at", "updated_at", "state_updated_at", "metadata", "config", "error"];
const LIGHT = ["next", "tasks", "metadata", "created_at", "checkpoint", "parent_checkpoint"];

const path = (threadId: string, rest = "") => `/threads/${encodeURIComponent(threadId)}${rest}`;

/** The thread without its values, looked at again and again; what hangs on it is asked for anew when it changed. */
export function useHead(threadId: string) {
  const query = useQuery({
    queryKey: keys.thread(threadId, "head"),
    queryFn: async ({ signal }) => {
      const body = { ids: [threadId], select: HEAD, limit: 1 };
      const [found] = await call<ThreadHead[]>("POST", "/threads/search", { body, signal });
      // Says why: the thread is gone, or its id is none.
      return found ?? (await call<ThreadHead>("GET", path(threadId), { signal }));
    },
    refetchInterval: LOOK_MS,
  });
  const head = query.data;
  const mark = head === undefined ? "" : `${head.status} ${head.updated_at} ${head.state_updated_at ?? ""}`;
  const seen = useRef("");
  useEffect(() => {
    if (seen.current !== "" && mark !== "" && seen.current !== mark) void refetchThread(threadId);
    if (mark !== "") seen.current = mark;
  }, [mark, threadId]);
  return query;
}

/** Everything of a thread is asked for anew; resolves when what is on the screen is up to date. */
export function refetchThread(threadId: string): Promise<unknown> {
  const parts = ["state", "history", "runs", "about"].map((part) =>
    queries.invalidateQueries({ queryKey: keys.thread(threadId, part) }),
  );
  return Promise.all(parts);
}

export function changed(threadId: string): Promise<unknown> {
  return Promise.all([queries.invalidateQueries({ queryKey: keys.thread(threadId, "head") }), refetchThread(threadId)]);
}

export function useLatestState(threadId: string) {
  return useQuery({
    queryKey: keys.thread(threadId, "state"),
    queryFn: ({ signal }) => latest(threadId, signal),
  });
}

/**
 * The state as the next run would find it. Where an input was written that the graph's reducers refuse, that cannot be told:
 * then it is the last checkpoint as it stands, so that the thread can still be looked at.
 */
async function latest(threadId: string, signal: AbortSignal): Promise<ThreadState> {
  try {
    return await call<ThreadState>("GET", path(threadId, "/state"), { query: { subgraphs: true }, signal });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 500) throw error;
    const [last] = await history(threadId, "", "", 1, null, signal);
    if (last === undefined) throw error;
    return last;
  }
}

/** The newest runs, newest first. */
export function useRuns(threadId: string) {
  return useInfiniteQuery({
    queryKey: keys.thread(threadId, "runs"),
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) =>
      call<RunRow[]>("POST", "/runs/search", {
        body: { thread_id: threadId, limit: RUNS_PAGE, ...(pageParam === "" ? {} : { created_before: pageParam }) },
        signal,
      }),
    getNextPageParam: (last: RunRow[]) => (last.length < RUNS_PAGE ? undefined : last.at(-1)?.created_at),
  });
}

/** Checkpoints without their values, newest first, a page at a time; those of a sub-graph when `namespace` names one. */
export function useHistory(threadId: string, namespace: string) {
  return useInfiniteQuery({
    queryKey: keys.thread(threadId, "history", namespace),
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => history(threadId, namespace, pageParam, HISTORY_PAGE, LIGHT, signal),
    getNextPageParam: (last: ThreadState[]) =>
      last.length < HISTORY_PAGE ? undefined : (last.at(-1)?.checkpoint.checkpoint_id ?? undefined),
  });
}

function history(
  threadId: string,
  namespace: string,
  before: string,
  limit: number,
  select: readonly string[] | null,
  signal: AbortSignal,
): Promise<ThreadState[]> {
  const body: Json = { limit };
  if (select !== null) body.select = select;
  if (namespace !== "") body.checkpoint = { thread_id: threadId, checkpoint_ns: namespace };
  if (before !== "") body.before = { configurable: { checkpoint_id: before } };
  return call<ThreadState[]>("POST", path(threadId, "/history"), { body, signal });
}

/** The whole state at a checkpoint; it never changes. */
export function useStateAt(threadId: string, at: { id: string; namespace: string } | null) {
  return useQuery({
    queryKey: keys.thread(threadId, "at", at?.namespace ?? "", at?.id ?? ""),
    queryFn: ({ signal }) =>
      call<ThreadState>("POST", path(threadId, "/state/checkpoint"), {
        body: { checkpoint: refOf(threadId, at?.id ?? "", at?.namespace ?? ""), subgraphs: false },
        signal,
      }),
    enabled: at !== null,
    // But for its tasks: a run may go on from there.
    staleTime: 5_000,
  });
}

/** The last state of a sub-graph, or null: of the one that worked for a tool call, say. */
export function useInnerState(threadId: string, namespace: string) {
  return useQuery({
    queryKey: keys.thread(threadId, "inner", namespace),
    queryFn: async ({ signal }) => (await history(threadId, namespace, "", 1, null, signal))[0] ?? null,
    staleTime: 30_000,
  });
}

export function refOf(threadId: string, id: string, namespace: string): CheckpointRef {
  return { thread_id: threadId, checkpoint_ns: namespace, checkpoint_id: id };
}

export type AssistantRow = { assistant_id: string; graph_id: string; name: string };

/** Whom the thread can be run with. */
export function useAssistants() {
  return useQuery({
    queryKey: keys.assistants("of a thread"),
    queryFn: async (): Promise<AssistantRow[]> => client.assistants.search({ limit: 200 }),
    staleTime: 60_000,
  });
}

/** The keys of an assistant's input, to know whether it is talked to. */
export function useInputKeys(assistantId: string | null) {
  return useQuery({
    queryKey: keys.assistant(assistantId ?? "", "input keys"),
    queryFn: async () => {
      const { input_schema } = await client.assistants.getSchemas(assistantId ?? "");
      return Object.keys(input_schema?.properties ?? {});
    },
    enabled: assistantId !== null,
    staleTime: 60_000,
  });
}

/** The nodes of an assistant's graph, as one may write a state. */
export function useNodes(assistantId: string | null) {
  return useQuery({
    queryKey: keys.assistant(assistantId ?? "", "nodes"),
    queryFn: async () => {
      const { nodes } = await client.assistants.getGraph(assistantId ?? "");
      return nodes.map((node) => String(node.id)).filter((id) => !id.startsWith("__"));
    },
    enabled: assistantId !== null,
    staleTime: 60_000,
  });
}

export type Storage = {
  total_bytes: number;
  checkpoints: { count: number; bytes: number };
  channel_values: { count: number; bytes: number; by_channel: Record<string, { versions: number; bytes: number }> };
  pending_writes: { count: number; bytes: number };
};

export function useAbout(threadId: string) {
  return useQuery({
    queryKey: keys.thread(threadId, "about"),
    queryFn: async ({ signal }) => {
      const [thread, storage] = await Promise.all([
        call<ThreadHead & { ttl?: Json | null }>("GET", path(threadId), { query: { include: "ttl" }, signal }),
        call<Storage>("GET", path(threadId, "/storage"), { signal }),
      ]);
      return { ttl: thread.ttl ?? null, storage };
    },
  });
}
