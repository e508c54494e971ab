import { foldCallback } from "./callbacks";
import { segmentsOf, type LoggedEvent, type Segment } from "./event";
import { listOf, numberOf, objectOf, textOf, type Json } from "./json";
import { errorOf, type SpanStatus } from "./span";
import { begin, close, replace, runningNodes, spanId, type Timeline } from "./spans";
import { foldCalls, foldMessage, messagesIn, touchNode } from "./toolCalls";

export { copyTimeline, startTimeline, type Attempt, type Timeline } from "./spans";

export function foldTimeline(timeline: Timeline, event: LoggedEvent): void {
  foldEvent(timeline, event);
  timeline.heardAt = Math.max(timeline.heardAt, event.at);
}

function foldEvent(timeline: Timeline, event: LoggedEvent): void {
  switch (event.mode) {
    case "metadata":
      return beginAttempt(timeline, event);
    case "tasks":
      return foldTask(timeline, event.namespace, objectOf(event.data), event.at, null);
    case "debug":
      return foldDebug(timeline, event);
    case "checkpoints":
      return foldCheckpoint(timeline, event.namespace, objectOf(event.data), event.at);
    case "updates":
      return foldUpdates(timeline, event);
    case "events":
      return foldCallback(timeline, objectOf(event.data), event.at);
    case "messages":
      return foldMessage(timeline, listOf(event.data)[0], objectOf(listOf(event.data)[1]), event);
    case "messages/metadata":
      for (const each of Object.values(objectOf(event.data)))
        touchNode(timeline, objectOf(objectOf(each).metadata), event.at);
      return;
    case "messages/partial":
    case "messages/complete":
      for (const message of listOf(event.data)) foldCalls(timeline, objectOf(message), [], event);
      return;
    case "values":
      timeline.bounds.set(event.namespace.join("|"), event.at);
      return;
    case "end":
      return endAll(timeline, event.at, finalStatus(timeline, textOf(objectOf(event.data).status)));
    default:
  }
}

// Attempts and the end

function beginAttempt(timeline: Timeline, event: LoggedEvent): void {
  const attempt = numberOf(objectOf(event.data).attempt);
  if (attempt === null) return;
  // When an attempt was lost is not in the log: the last that was heard of it is the nearest.
  if (timeline.attempts.length > 0) endAll(timeline, timeline.heardAt, "lost");
  timeline.attempt = attempt;
  timeline.attempts = [...timeline.attempts, { attempt, from: event.at, to: null }];
  timeline.bounds.clear();
  timeline.bounds.set("", event.at);
}

function endAll(timeline: Timeline, at: number, status: SpanStatus): void {
  for (const id of [...timeline.open]) close(timeline, id, at, status);
  timeline.attempts = timeline.attempts.map((each) => (each.to === null ? { ...each, to: at } : each));
}

function finalStatus(timeline: Timeline, status: string | null): SpanStatus {
  if (status === "error" || status === "timeout") return "failed";
  if (status === "interrupted" || timeline.interrupted) return "interrupted";
  return status === "rolled_back" ? "lost" : "done";
}

// tasks, debug, checkpoints

function foldDebug(timeline: Timeline, event: LoggedEvent): void {
  const { type, payload, step, timestamp } = objectOf(event.data);
  const said = Date.parse(textOf(timestamp) ?? "");
  const at = Number.isNaN(said) ? event.at : said;
  if (type === "checkpoint") return foldCheckpoint(timeline, event.namespace, objectOf(payload), at);
  foldTask(timeline, event.namespace, objectOf(payload), at, numberOf(step));
}

function foldTask(timeline: Timeline, namespace: readonly string[], task: Json, at: number, step: number | null): void {
  const id = textOf(task.id);
  const name = textOf(task.name);
  if (id === null || name === null) return;
  timeline.knowsTasks = true;
  const above = segmentsOf(namespace);
  if (!("result" in task)) {
    begin(timeline, above, { name, task: id }, at, { guessed: false, step, input: task.input });
    return;
  }
  const interrupts = listOf(task.interrupts);
  const error = errorOf(task.error);
  if (interrupts.length > 0) timeline.interrupted = true;
  const span = begin(timeline, above, { name, task: id }, at, { guessed: true, step });
  const status = error ? "failed" : interrupts.length > 0 ? "interrupted" : "done";
  replace(timeline, { ...span, output: task.result, error: error ?? span.error, interrupts });
  close(timeline, span.id, at, status);
}

/** The tasks that a checkpoint plans begin now; what had begun in the same graph is over. */
function foldCheckpoint(timeline: Timeline, namespace: readonly string[], checkpoint: Json, at: number): void {
  const above = segmentsOf(namespace);
  const step = numberOf(objectOf(checkpoint.metadata).step);
  const planned = listOf(checkpoint.tasks).map(objectOf);
  if (!timeline.knowsTasks) {
    const ids = new Set(planned.map((task) => spanId(timeline, textOf(task.id) ?? "")));
    for (const span of runningNodes(timeline, above)) if (!ids.has(span.id)) close(timeline, span.id, at, "done");
  }
  timeline.bounds.set(namespace.join("|"), at);
  for (const task of planned) {
    const [id, name] = [textOf(task.id), textOf(task.name)];
    if (id === null || name === null || name === "__start__") continue;
    begin(timeline, above, { name, task: id }, at, { guessed: true, step: step === null ? null : step + 1 });
  }
}

// updates

function foldUpdates(timeline: Timeline, event: LoggedEvent): void {
  const data = objectOf(event.data);
  if ("__interrupt__" in data) {
    timeline.interrupted = true;
    if (!timeline.knowsTasks && event.namespace.length === 0) endAll(timeline, event.at, "interrupted");
  }
  const above = segmentsOf(event.namespace);
  const bound = event.namespace.join("|");
  for (const [name, update] of Object.entries(data)) {
    if (name.startsWith("__")) continue;
    if (!timeline.knowsTasks) finishNode(timeline, above, name, update, event.at);
    for (const message of messagesIn(update)) foldCalls(timeline, message, [...above.map((s) => s.name), name], event);
  }
  timeline.bounds.set(bound, event.at);
}

/** A node said what it gives: its oldest run that is still open is over, or one began unseen. */
function finishNode(timeline: Timeline, above: Segment[], name: string, output: unknown, at: number): void {
  const running = runningNodes(timeline, above).find((span) => span.name === name);
  const span =
    running ?? begin(timeline, above, { name, task: `guess-${(timeline.guesses += 1)}` }, at, { guessed: true });
  replace(timeline, { ...span, output });
  close(timeline, span.id, at, "done");
}
