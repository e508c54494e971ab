import { isRecord } from "../../forms/schema";

export const STREAM_MODES = [
  "values",
  "updates",
  "messages-tuple",
  "messages",
  "tasks",
  "checkpoints",
  "custom",
  "debug",
  "events",
  "metadata",
] as const;

export type StreamMode = (typeof STREAM_MODES)[number];

export const STRATEGIES = ["enqueue", "reject", "interrupt", "rollback"] as const;

export const DURABILITIES = ["async", "sync", "exit"] as const;

/** Every node, as the server writes it. */
export const ALL = "*";

/** What is asked for, as it stands in the form. Texts are as typed. */
export type Start = {
  input: unknown;
  context: unknown;
  configurable: unknown;
  metadata: unknown;
  recursionLimit: string;
  tags: string;
  streamModes: StreamMode[];
  streamSubgraphs: boolean;
  strategy: (typeof STRATEGIES)[number];
  durability: (typeof DURABILITIES)[number];
  interruptBefore: string[];
  interruptAfter: string[];
  /** Empty: a new thread. */
  threadId: string;
  newThread: boolean;
  webhook: string;
  afterSeconds: string;
};

/** Enough for every view of the run's page. */
const WATCHED: StreamMode[] = ["values", "updates", "messages-tuple", "tasks", "custom"];

export function newStart(input: unknown, threadId = ""): Start {
  return {
    input,
    context: undefined,
    configurable: undefined,
    metadata: undefined,
    recursionLimit: "",
    tags: "",
    streamModes: WATCHED,
    streamSubgraphs: true,
    strategy: "enqueue",
    durability: "async",
    interruptBefore: [],
    interruptAfter: [],
    threadId,
    newThread: threadId === "",
    webhook: "",
    afterSeconds: "",
  };
}

export type Body = Record<string, unknown>;

/** The body of `POST /threads/{id}/runs`. What is as the server takes it anyway is left out. */
export function bodyOf(assistantId: string, start: Start): Body {
  const config = {
    ...(start.recursionLimit.trim() === "" ? {} : { recursion_limit: numberOrText(start.recursionLimit) }),
    ...(tagsOf(start.tags).length === 0 ? {} : { tags: tagsOf(start.tags) }),
    ...(isEmpty(start.configurable) ? {} : { configurable: start.configurable }),
  };
  return {
    assistant_id: assistantId,
    ...(start.input === undefined ? {} : { input: start.input }),
    ...(isEmpty(start.context) ? {} : { context: start.context }),
    ...(isEmpty(config) ? {} : { config }),
    ...(isEmpty(start.metadata) ? {} : { metadata: start.metadata }),
    stream_mode: start.streamModes,
    ...(start.streamSubgraphs ? { stream_subgraphs: true } : {}),
    ...(start.newThread ? { if_not_exists: "create" } : {}),
    ...(start.newThread || start.strategy === "enqueue" ? {} : { multitask_strategy: start.strategy }),
    ...(start.durability === "async" ? {} : { durability: start.durability }),
    ...stops("interrupt_before", start.interruptBefore),
    ...stops("interrupt_after", start.interruptAfter),
    ...(start.webhook.trim() === "" ? {} : { webhook: start.webhook.trim() }),
    ...(start.afterSeconds.trim() === "" ? {} : { after_seconds: numberOrText(start.afterSeconds) }),
  };
}

export function tagsOf(text: string): string[] {
  return text
    .split(/[,\s]+/)
    .map((tag) => tag.trim())
    .filter(Boolean);
}

/** What can be said before the server is asked, by the field of the request. */
export function faultsOf(start: Start): Record<string, string> {
  const faults: Record<string, string> = {};
  if (!/^\s*([1-9]\d*)?\s*$/.test(start.recursionLimit)) {
    faults["config.recursion_limit"] = "Must be a whole number, at least 1";
  }
  if (!/^\s*(\d+\.?\d*)?\s*$/.test(start.afterSeconds)) faults.after_seconds = "Must be a number of seconds";
  if (!start.newThread && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(start.threadId.trim())) {
    faults.thread_id = start.threadId.trim() === "" ? "Choose a thread" : "Must be a thread’s id";
  }
  if (start.webhook.trim() !== "" && !/^https?:\/\/[^/]/.test(start.webhook.trim())) {
    faults.webhook = "Must be an address that begins with http:// or https://";
  }
  if (start.streamModes.length === 0) faults.stream_mode = "Choose at least one";
  return faults;
}

/** The field of the form that a field of the server's answer belongs to: `config.tags[0]` to `config.tags`. */
export function formField(field: string): string {
  const known = [
    "config.recursion_limit",
    "config.tags",
    "config.configurable",
    "context",
    "metadata",
    "webhook",
    "stream_mode",
    "multitask_strategy",
    "durability",
    "interrupt_before",
    "interrupt_after",
    "thread_id",
    "after_seconds",
    "input",
  ];
  return known.find((name) => field === name || field.startsWith(`${name}.`) || field.startsWith(`${name}[`)) ?? "";
}

function stops(name: string, nodes: readonly string[]): Body {
  if (nodes.length === 0) return {};
  return { [name]: nodes.includes(ALL) ? ALL : nodes };
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (isRecord(value) && Object.keys(value).length === 0);
}

function numberOrText(text: string): number | string {
  const number = Number(text);
  return Number.isFinite(number) ? number : text.trim();
}
