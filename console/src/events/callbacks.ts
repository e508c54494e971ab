import { segmentsOf, type Segment } from "./event";
import { listOf, numberOf, objectOf, textOf, type Json } from "./json";
import { errorOf } from "./span";
import { begin, close, open, replace, spanId, type Timeline } from "./spans";
import { forgetGuessedTools, messageError } from "./toolCalls";

/** One event of LangChain's `astream_events`: nodes, tools and models, each with its exact beginning and end. */
export function foldCallback(timeline: Timeline, data: Json, at: number): void {
  const metadata = objectOf(data.metadata);
  const [name, id] = [textOf(data.name), textOf(data.run_id)];
  const namespace = segmentsOf(textOf(metadata.langgraph_checkpoint_ns) ?? "");
  if (name === null || id === null || namespace.length === 0) return;
  const said = objectOf(data.data);
  switch (data.event) {
    case "on_chain_start":
      return isTask(data, name, namespace) ? beginTask(timeline, namespace, metadata, said, at) : undefined;
    case "on_chain_end":
      return isTask(data, name, namespace) ? endTask(timeline, namespace, said, at) : undefined;
    case "on_tool_start":
      forgetGuessedTools(timeline);
      return beginCall(timeline, "tool", namespace, { name, id }, said.input, at);
    case "on_chat_model_start":
    case "on_llm_start":
      return beginCall(timeline, "model", namespace, { name, id }, said.input, at);
    case "on_tool_end":
    case "on_chat_model_end":
    case "on_llm_end":
      return endCall(timeline, id, said.output, null, at);
    case "on_tool_error":
      return endCall(timeline, id, null, said.error, at);
    default:
  }
}

/** Of all that runs inside of a task, only the task itself has this tag and the node's name. */
function isTask(data: Json, name: string, namespace: Segment[]): boolean {
  const last = namespace[namespace.length - 1];
  return (
    last?.name === name && listOf(data.tags).some((tag) => typeof tag === "string" && tag.startsWith("graph:step:"))
  );
}

function beginTask(timeline: Timeline, namespace: Segment[], metadata: Json, said: Json, at: number): void {
  const own = namespace[namespace.length - 1];
  if (own === undefined) return;
  const step = numberOf(metadata.langgraph_step);
  const span = begin(timeline, namespace.slice(0, -1), own, at, { guessed: false, step, input: said.input });
  replace(timeline, { ...span, tries: [...span.tries, at] });
}

function endTask(timeline: Timeline, namespace: Segment[], said: Json, at: number): void {
  const own = namespace[namespace.length - 1];
  const span = own && timeline.spans.get(spanId(timeline, own.task));
  if (span?.to !== null) return;
  replace(timeline, { ...span, output: said.output });
  close(timeline, span.id, at, "done");
}

type Named = { name: string; id: string };

function beginCall(
  timeline: Timeline,
  kind: "tool" | "model",
  namespace: Segment[],
  call: Named,
  input: unknown,
  at: number,
): void {
  const parent = namespace[namespace.length - 1];
  open(timeline, {
    id: spanId(timeline, call.id),
    kind,
    name: call.name,
    path: [...namespace.map((segment) => segment.name), call.name],
    parent: parent ? spanId(timeline, parent.task) : null,
    from: at,
    input,
  });
}

function endCall(timeline: Timeline, id: string, output: unknown, error: unknown, at: number): void {
  const span = timeline.spans.get(spanId(timeline, id));
  if (span === undefined) return;
  const said = errorOf(error) ?? (objectOf(output).status === "error" ? messageError(objectOf(output)) : null);
  replace(timeline, { ...span, output, error: said });
  close(timeline, span.id, at, said ? "failed" : "done");
}
