import { segmentsOf, type LoggedEvent } from "./event";
import { isObject, listOf, numberOf, objectOf, textOf, type Json } from "./json";
import { begin, close, open, replace, type Timeline } from "./spans";

/** What messages say of the timeline: that their node runs, and which tools were called and answered. */
export function foldMessage(timeline: Timeline, message: unknown, metadata: Json, event: LoggedEvent): void {
  touchNode(timeline, metadata, event.at);
  const namespace = segmentsOf(textOf(metadata.langgraph_checkpoint_ns) ?? "");
  if (isObject(message))
    foldCalls(
      timeline,
      message,
      namespace.map((segment) => segment.name),
      event,
    );
}

/** A message of a node is proof that the node runs. */
export function touchNode(timeline: Timeline, metadata: Json, at: number): void {
  if (timeline.knowsTasks) return;
  const namespace = segmentsOf(textOf(metadata.langgraph_checkpoint_ns) ?? "");
  const step = numberOf(metadata.langgraph_step);
  namespace.forEach((own, depth) => {
    const last = depth === namespace.length - 1;
    begin(timeline, namespace.slice(0, depth), own, at, { guessed: true, step: last ? step : null });
  });
}

export function foldCalls(timeline: Timeline, message: Json, path: readonly string[], event: LoggedEvent): void {
  if (timeline.knowsTools) return;
  if (message.type === "tool") return endToolCall(timeline, message, event.at);
  if (message.type !== "ai" && message.type !== "AIMessageChunk") return;
  for (const call of listOf(message.tool_calls).map(objectOf)) {
    const [id, name] = [textOf(call.id), textOf(call.name)];
    if (id === null || name === null || name === "") continue;
    const key = `${timeline.attempt}:call:${id}`;
    const known = timeline.spans.get(key);
    if (known === undefined) openToolCall(timeline, key, name, call.args, path, event.at);
    else if (known.input !== call.args && Object.keys(objectOf(call.args)).length > 0)
      replace(timeline, { ...known, input: call.args });
    timeline.calls.set(id, key);
  }
}

/** The beginning is when the model had asked for it, so a bit early. */
function openToolCall(
  timeline: Timeline,
  id: string,
  name: string,
  input: unknown,
  path: readonly string[],
  at: number,
): void {
  open(timeline, {
    id,
    kind: "tool",
    name,
    path: [...path.slice(0, -1), name],
    parent: null,
    from: at,
    input,
    guessed: true,
  });
}

function endToolCall(timeline: Timeline, message: Json, at: number): void {
  const key = timeline.calls.get(textOf(message.tool_call_id) ?? "");
  const span = key === undefined ? undefined : timeline.spans.get(key);
  if (span?.to !== null) return;
  const error = message.status === "error" ? messageError(message) : null;
  replace(timeline, { ...span, output: message, error });
  close(timeline, span.id, at, error ? "failed" : "done");
}

export function messageError(message: Json): { error: string; message: string } {
  return { error: "ToolError", message: textOf(message.content) ?? JSON.stringify(message.content) };
}

/** Callbacks tell of tools exactly, so what messages let guess goes. */
export function forgetGuessedTools(timeline: Timeline): void {
  if (timeline.knowsTools) return;
  timeline.knowsTools = true;
  for (const key of timeline.calls.values()) {
    timeline.spans.delete(key);
    timeline.open.delete(key);
  }
  timeline.calls.clear();
}

export function messagesIn(update: unknown): Json[] {
  const found: Json[] = [];
  for (const each of Array.isArray(update) ? update : [update]) {
    for (const value of Object.values(objectOf(each))) {
      for (const item of listOf(value)) if (isObject(item) && "type" in item && "content" in item) found.push(item);
    }
  }
  return found;
}
