import type { InfiniteData } from "@tanstack/react-query";

import { client, keys, queries } from "../../api";
import { changed } from "./data";
import type { CheckpointRef, Json, RunRow } from "./types";

/** The stream modes of runs started here: enough for the chat and for replaying the run on its page. */
const MODES = ["values", "updates", "messages-tuple", "tasks", "custom"] as const;

export const STRATEGIES = ["enqueue", "interrupt", "rollback", "reject"] as const;
export type Strategy = (typeof STRATEGIES)[number];

export type Start = {
  assistantId: string;
  input?: unknown;
  command?: Json;
  checkpoint?: CheckpointRef | null;
  strategy?: Strategy;
};

/** Starts a run and returns its id. Throws ApiError 409 if the strategy is `reject` and another run is active. */
export async function start(
  threadId: string,
  { assistantId, input, command, checkpoint, strategy }: Start,
): Promise<string> {
  const payload = {
    streamMode: [...MODES],
    streamSubgraphs: true,
    streamResumable: true,
    ...(command === undefined ? { input: (input ?? null) as Json | null } : { command }),
    ...(checkpoint ? { checkpoint: { ...checkpoint, checkpoint_ns: checkpoint.checkpoint_ns ?? "" } } : {}),
    ...(strategy === undefined ? {} : { multitaskStrategy: strategy }),
  };
  const run = await client.runs.create(threadId, assistantId, payload as Parameters<typeof client.runs.create>[2]);
  shown(threadId, run as unknown as RunRow);
  void changed(threadId);
  return run.run_id;
}

/** Adds the run to the cached list at once, so that the page follows it from its first event. */
function shown(threadId: string, run: RunRow): void {
  queries.setQueryData<InfiniteData<RunRow[]>>(keys.thread(threadId, "runs"), (known) => {
    const [first = [], ...rest] = known?.pages ?? [];
    return known && { ...known, pages: [[run, ...first.filter((each) => each.run_id !== run.run_id)], ...rest] };
  });
}

export async function stop(
  threadId: string,
  runId: string,
  action: "interrupt" | "rollback" = "interrupt",
): Promise<void> {
  await client.runs.cancel(threadId, runId, false, action);
  await changed(threadId);
}

/** Writes a state after `checkpoint` as if `asNode` had returned `values`. Returns the new checkpoint's id. */
export async function write(
  threadId: string,
  { values, asNode, checkpoint }: { values: unknown; asNode: string | null; checkpoint: CheckpointRef | null },
): Promise<string> {
  const options = {
    values: values as Json,
    ...(asNode === null ? {} : { asNode }),
    ...(checkpoint === null ? {} : { checkpoint }),
  };
  const { checkpoint_id } = (await client.threads.updateState(
    threadId,
    options as Parameters<typeof client.threads.updateState>[1],
  )) as unknown as { checkpoint_id: string };
  await changed(threadId);
  return checkpoint_id;
}
