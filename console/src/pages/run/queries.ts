import type { Run, ThreadState } from "@langchain/langgraph-sdk";
import { useQuery } from "@tanstack/react-query";

import { call, client, keys } from "../../api";
import type { Checkpoint } from "../../events";
import type { Drawing } from "../../graph";

/** What `POST /runs/search` says of a run beside its record. */
export type Overview = {
  graph_id: string;
  status: string;
  started_at: string | null;
  finished_at: string | null;
  duration_seconds: number | null;
  attempt: number;
  crashes: number;
  worker_id: string | null;
  blocked_by: string | null;
  cancelling: string | null;
  priority: number | string;
  concurrency_key: string | null;
  trimmed: boolean;
  stopped_at_interrupt: boolean;
  tags: string[];
  error: { error: string; message: string } | null;
};

/** Undefined until it is known; the page works without it. */
export function useOverview(run: Run): Overview | undefined {
  const active = run.status === "pending" || run.status === "running";
  const { data } = useQuery({
    queryKey: [...keys.run(run.thread_id, run.run_id), "overview", run.status],
    queryFn: async () => (await call<Overview[]>("POST", "/runs/search", { body: { ids: [run.run_id] } }))[0] ?? null,
    refetchInterval: active ? 3000 : false,
    placeholderData: (before) => before,
  });
  return data ?? undefined;
}

/** The graph of an assistant with its subgraphs open. */
export function useDrawing(assistantId: string) {
  return useQuery({
    queryKey: keys.assistant(assistantId, "graph"),
    queryFn: async () => (await client.assistants.getGraph(assistantId, { xray: true })) as unknown as Drawing,
    staleTime: 60_000,
  });
}

/** Enough for any run that a person looks at; a longer one shows its last steps. */
const MOST_STEPS = 500;

/** The checkpoints that a run wrote, newest first: for what its log does not say. */
export function useHistory(run: Run, wanted: boolean, active: boolean) {
  return useQuery({
    queryKey: [...keys.run(run.thread_id, run.run_id), "history", active],
    queryFn: async () => {
      const history = await client.threads.getHistory(run.thread_id, {
        limit: MOST_STEPS,
        metadata: { run_id: run.run_id },
      });
      return history as (ThreadState & Checkpoint)[];
    },
    enabled: wanted,
    refetchInterval: active ? 2000 : false,
    placeholderData: (before) => before,
  });
}
