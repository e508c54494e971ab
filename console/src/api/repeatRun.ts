/** What is needed of a run to ask for the same once more: its `kwargs` say what it was asked to do. */
export type RepeatableRun = { assistant_id: string; multitask_strategy?: string | null; kwargs?: unknown };

type Json = Record<string, unknown>;

/** Fields of `kwargs` that the body of a creating call has under the same name. */
const SAME = ["input", "command", "stream_mode", "interrupt_before", "interrupt_after", "webhook", "durability"];

/** What the server puts into `config.configurable` itself. */
const ITS_OWN = new Set([
  "run_id",
  "thread_id",
  "graph_id",
  "assistant_id",
  "user_id",
  "checkpoint_ns",
  "langgraph_request_id",
  "cron_id",
]);

/** The body of `POST /threads/{id}/runs` that asks for the same as a run was asked for: same input, same options. */
export function repeatRunBody(run: RepeatableRun): Json {
  const kwargs = objectOf(run.kwargs);
  const body: Json = { assistant_id: run.assistant_id };
  for (const name of SAME) if (kwargs[name] !== null && kwargs[name] !== undefined) body[name] = kwargs[name];
  if (kwargs.subgraphs === true) body.stream_subgraphs = true;
  if (run.multitask_strategy) body.multitask_strategy = run.multitask_strategy;
  const context = objectOf(kwargs.context);
  const config = configOf(objectOf(kwargs.config), context);
  if (Object.keys(config).length > 0) body.config = config;
  if (Object.keys(context).length > 0) body.context = context;
  return body;
}

function configOf(config: Json, context: Json): Json {
  const { configurable, recursion_limit: limit, tags } = config;
  const own: Json = {};
  if (limit !== undefined && limit !== null) own.recursion_limit = limit;
  if (Array.isArray(tags) && tags.length > 0) own.tags = tags;
  // The server copies a context there, and refuses both.
  const asked = Object.entries(objectOf(configurable)).filter(([name]) => !isItsOwn(name) && !(name in context));
  if (asked.length > 0 && Object.keys(context).length === 0) own.configurable = Object.fromEntries(asked);
  return own;
}

function isItsOwn(name: string): boolean {
  return name.startsWith("__") || name.startsWith("langgraph_auth_") || ITS_OWN.has(name);
}

function objectOf(value: unknown): Json {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Json) : {};
}
