import { listOf, numberOf, objectOf, textOf, type Json } from "./json";
import { errorOf, type Span, type SpanStatus } from "./span";

/** What is needed of a checkpoint of a thread's history. */
export type Checkpoint = {
  created_at: string | null;
  metadata: Json | null;
  checkpoint: { checkpoint_id?: string | null; checkpoint_ns?: string | null } | null;
  parent_checkpoint?: { checkpoint_id?: string | null } | null;
  tasks: readonly unknown[];
};

/** When the run was at an end, in milliseconds, and how; `to` is null while it runs. */
export type RunEnd = { runId: string; to: number | null; status: string };

/**
 * The spans of a run from the checkpoints that it wrote: a step's tasks ran from the checkpoint that planned them to the
 * one after it. For logs that say too little; it knows neither tools nor how long each of several parallel nodes took.
 */
export function spansOfHistory(history: readonly Checkpoint[], run: RunEnd): Span[] {
  const own = history.filter((each) => objectOf(each.metadata).run_id === run.runId);
  const ended = new Map<string, number>();
  for (const each of own) {
    const parent = each.parent_checkpoint?.checkpoint_id;
    const at = timeOf(each);
    if (parent && at !== null) ended.set(parent, Math.min(at, ended.get(parent) ?? Infinity));
  }
  const spans: Span[] = [];
  for (const each of own) {
    const from = timeOf(each);
    const id = each.checkpoint?.checkpoint_id;
    if (from === null || !id) continue;
    const step = numberOf(objectOf(each.metadata).step);
    for (const task of each.tasks.map(objectOf)) {
      const span = spanOf(task, from, ended.get(id) ?? null, step, run);
      if (span) spans.push(span);
    }
  }
  return spans.sort((a, b) => a.from - b.from);
}

function spanOf(task: Json, from: number, ended: number | null, step: number | null, run: RunEnd): Span | null {
  const [id, name] = [textOf(task.id), textOf(task.name)];
  if (id === null || name === null || name === "__start__") return null;
  const error = errorOf(task.error);
  const interrupts = listOf(task.interrupts);
  const done = ended !== null || (task.result !== null && task.result !== undefined);
  const to = ended ?? run.to;
  return {
    id: `history:${id}`,
    kind: "node",
    name,
    path: [name],
    parent: null,
    attempt: 1,
    step: step === null ? null : step + 1,
    from,
    to,
    status: error ? "failed" : interrupts.length > 0 ? "interrupted" : statusOf(done, run),
    guessed: true,
    tries: [],
    input: undefined,
    output: task.result ?? undefined,
    error,
    interrupts,
  };
}

function statusOf(done: boolean, run: RunEnd): SpanStatus {
  if (done) return "done";
  if (run.to === null) return "running";
  return run.status === "error" || run.status === "timeout" ? "failed" : "interrupted";
}

function timeOf(checkpoint: Checkpoint): number | null {
  const at = Date.parse(checkpoint.created_at ?? "");
  return Number.isNaN(at) ? null : at;
}
