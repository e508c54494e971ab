import { repeatRunBody, call, client, queries, keys } from "../../api";

/** A row of `POST /runs/search`. Times are ISO text; `kwargs` are not asked for. */
export type RunRow = {
  run_id: string;
  thread_id: string;
  assistant_id: string;
  graph_id: string;
  status: string;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  duration_seconds: number | null;
  attempt: number;
  crashes: number;
  worker_id: string | null;
  blocked_by: "time" | "thread" | "graph" | "key" | null;
  cancelling: "interrupt" | "rollback" | null;
  available_at: string;
  stopped_at_interrupt: boolean;
  tags: string[];
  error: { error: string; message: string } | null;
  metadata: Record<string, unknown>;
};

export function isActive(run: RunRow): boolean {
  return run.status === "pending" || run.status === "running";
}

export function isOver(run: RunRow): boolean {
  return !isActive(run);
}

export function canCancel(run: RunRow): boolean {
  return isActive(run) && run.cancelling !== "rollback";
}

/** What ended badly can go on from where it was; what waits for an answer is answered on its thread. */
export function canRetry(run: RunRow): boolean {
  return ["error", "timeout", "interrupted"].includes(run.status) && !run.stopped_at_interrupt;
}

type Started = { run_id: string; thread_id: string };

export async function cancel(run: RunRow, action: "interrupt" | "rollback"): Promise<void> {
  await client.runs.cancel(run.thread_id, run.run_id, false, action);
}

/** A new run that goes on where this one stopped. */
export function retry(run: RunRow): Promise<Started> {
  return call<Started>("POST", `/threads/${run.thread_id}/runs/${run.run_id}/retry`);
}

/** A new run on the same thread that is asked the same, input included. */
export async function again(run: RunRow): Promise<Started> {
  const asked = await client.runs.get(run.thread_id, run.run_id);
  return call<Started>("POST", `/threads/${run.thread_id}/runs`, {
    body: repeatRunBody(asked),
  });
}

export async function remove(run: RunRow): Promise<void> {
  await client.runs.delete(run.thread_id, run.run_id);
}

/** Makes every list look again at once. */
export function changed(): Promise<void> {
  return queries.invalidateQueries({ queryKey: keys.runs() });
}
