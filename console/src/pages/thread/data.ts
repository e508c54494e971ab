import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { ApiError, call, client, keys, queries } from "../../api";
import type { CheckpointRef, Json, RunRow, ThreadHead, ThreadState } from "./types";

/** Polling interval of an idle thread, since runs can be started elsewhere. */
const LOOK_MS = 1500;
const HISTORY_PAGE = 60;
const RUNS_PAGE = 50;
const HEAD = ["thread_id", "status", "created_at", "updated_at", "state_updated_at", "metadata", "config", "error"];
const LIGHT = ["next", "tasks", "metadata", "created_at", "checkpoint", "parent_checkpoint"];

const path = (threadId: string, rest = "") => `/threads/${encodeURIComponent(threadId)}${rest}`;

/** Polls the thread without its values, and invalidates dependent queries when it changes. */
export function useHead(threadId: string) {
  const query = useQuery({
    queryKey: keys.thread(threadId, "head"),
    queryFn: async ({ signal }) => {
      const body = { ids: [threadId], select: HEAD, limit: 1 };
      const [found] = await call<ThreadHead[]>("POST", "/threads/search", { body, signal });
      // The error page gives the reason: the thread was deleted, or its id is invalid.
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

/** Refetches everything about a thread. Resolves when the visible queries are up to date. */
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
 * The state that the next run would start from. If pending input is rejected by the graph's reducers, the server cannot
 * compute it, so this falls back to the last checkpoint and the thread stays viewable.
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

/** Checkpoints without values, newest first, in pages; a subgraph's if `namespace` is set. */
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

/** The complete state at a checkpoint, which never changes. */
export function useStateAt(threadId: string, at: { id: string; namespace: string } | null) {
  return useQuery({
    queryKey: keys.thread(threadId, "at", at?.namespace ?? "", at?.id ?? ""),
    queryFn: ({ signal }) =>
      call<ThreadState>("POST", path(threadId, "/state/checkpoint"), {
        body: { checkpoint: refOf(threadId, at?.id ?? "", at?.namespace ?? ""), subgraphs: false },
        signal,
      }),
    enabled: at !== null,
    // Except for its tasks, which change when a run resumes from here.
    staleTime: 5_000,
  });
}

/** The last state of a subgraph, or null. Used for the subagent of a tool call. */
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

/** The assistants that can run on the thread. */
export function useAssistants() {
  return useQuery({
    queryKey: keys.assistants("of a thread"),
    queryFn: async (): Promise<AssistantRow[]> => client.assistants.search({ limit: 200 }),
    staleTime: 60_000,
  });
}

/** The keys of an assistant's input schema, to detect chat assistants. */
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

/** The nodes of an assistant's graph, as choices for `as_node`. */
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
