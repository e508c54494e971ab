/** The fields needed to repeat a run. `kwargs` holds the original request. */
export type RepeatableRun = { assistant_id: string; multitask_strategy?: string | null; kwargs?: unknown };

type Json = Record<string, unknown>;

/** Fields with the same name in `kwargs` and in the body of a create call. */
const SAME_NAME = ["input", "command", "stream_mode", "interrupt_before", "interrupt_after", "webhook", "durability"];

/** Keys that the server adds to `config.configurable`. */
const SERVER_KEYS = new Set([
  "run_id",
  "thread_id",
  "graph_id",
  "assistant_id",
  "user_id",
  "checkpoint_ns",
  "langgraph_request_id",
  "cron_id",
]);

/** Return the body of `POST /threads/{id}/runs` that repeats a run with the same input and options. */
export function repeatRunBody(run: RepeatableRun): Json {
  const kwargs = objectOf(run.kwargs);
  const body: Json = { assistant_id: run.assistant_id };
  for (const name of SAME_NAME) if (kwargs[name] !== null && kwargs[name] !== undefined) body[name] = kwargs[name];
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
  // The server copies a context into `configurable` and rejects requests with both.
  const requested = Object.entries(objectOf(configurable)).filter(([name]) => !isServerKey(name) && !(name in context));
  if (requested.length > 0 && Object.keys(context).length === 0) own.configurable = Object.fromEntries(requested);
  return own;
}

function isServerKey(name: string): boolean {
  return name.startsWith("__") || name.startsWith("langgraph_auth_") || SERVER_KEYS.has(name);
}

function objectOf(value: unknown): Json {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Json) : {};
}
