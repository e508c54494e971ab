import { isObject, listOf, objectOf, textOf, numberOf, type Json } from "../events/json";
import { blocksOf, type Block } from "./content";

/** A message as the server has it: LangChain's JSON, of any version. */
export type RawMessage = Json;

export type Role = "human" | "ai" | "tool" | "system" | "other";

export type ToolCall = {
  id: string;
  name: string;
  /** The arguments as an object, or the text that has come so far. */
  args: unknown;
  /** What the model wrote for arguments was no JSON: this is what is wrong. */
  error: string | null;
};

export type Usage = { input: number; output: number; total: number; cached: number; reasoning: number };

/** A message ready to be shown. */
export type Message = {
  id: string;
  role: Role;
  type: string;
  name: string | null;
  blocks: readonly Block[];
  calls: readonly ToolCall[];
  /** Of a tool's message: which call it answers. */
  answers: string | null;
  failed: boolean;
  artifact: unknown;
  usage: Usage | null;
  model: string | null;
  /** Still being said. */
  partial: boolean;
  raw: RawMessage;
};

const ROLES: Record<string, Role> = {
  human: "human",
  user: "human",
  ai: "ai",
  assistant: "ai",
  tool: "tool",
  function: "tool",
  system: "system",
  developer: "system",
};

const CHUNK = /^(\w+)MessageChunk$/;

/** `ai` for `ai`, `assistant` and `AIMessageChunk`. */
export function typeOf(raw: RawMessage): string {
  const type = textOf(raw.type) ?? textOf(raw.role) ?? "";
  const chunk = CHUNK.exec(type)?.[1];
  return (chunk ?? type).toLowerCase();
}

export function roleOf(raw: RawMessage): Role {
  return ROLES[typeOf(raw)] ?? "other";
}

export function idOf(raw: RawMessage): string {
  return textOf(raw.id) ?? "";
}

/** Whether a value looks like a message: it has a type or role that we know, and content. */
export function isMessage(value: unknown): value is RawMessage {
  if (!isObject(value)) return false;
  const type = typeOf(value);
  return (type in ROLES && ("content" in value || "tool_calls" in value)) || (type === "remove" && "id" in value);
}

const known = new WeakMap<RawMessage, Message>();

/** The same message for the same JSON, so that what did not change is not drawn again. */
export function messageOf(raw: RawMessage): Message {
  const before = known.get(raw);
  if (before !== undefined) return before;
  const message = made(raw);
  known.set(raw, message);
  return message;
}

function made(raw: RawMessage): Message {
  const meta = objectOf(raw.response_metadata);
  return {
    id: idOf(raw),
    role: roleOf(raw),
    type: typeOf(raw),
    name: textOf(raw.name),
    blocks: blocksOf(raw.content, objectOf(raw.additional_kwargs)),
    calls: callsOf(raw),
    answers: textOf(raw.tool_call_id),
    failed: raw.status === "error",
    artifact: raw.artifact ?? null,
    usage: usageOf(raw.usage_metadata),
    model: textOf(meta.model_name) ?? textOf(meta.model),
    partial: CHUNK.test(textOf(raw.type) ?? "") && raw.chunk_position !== "last",
    raw,
  };
}

/**
 * While a message streams, its `tool_call_chunks` hold what came so far; the finished ones are in `tool_calls`, those whose
 * arguments are no JSON in `invalid_tool_calls`.
 */
function callsOf(raw: RawMessage): ToolCall[] {
  const chunks = listOf(raw.tool_call_chunks).filter(isObject);
  if (chunks.length > 0) return chunks.map(chunkedCall);
  const calls = listOf(raw.tool_calls).filter(isObject);
  const valid =
    calls.length > 0
      ? calls.map(finishedCall)
      : listOf(objectOf(raw.additional_kwargs).tool_calls).filter(isObject).map(openAiCall);
  const invalid = listOf(raw.invalid_tool_calls)
    .filter(isObject)
    .map((call) => ({ ...finishedCall(call), error: textOf(call.error) ?? "the arguments are not valid JSON" }));
  return [...valid, ...invalid];
}

function finishedCall(call: Json): ToolCall {
  // Messages that users write themselves may have OpenAI's shape.
  if (isObject(call.function)) return openAiCall(call);
  return { id: textOf(call.id) ?? "", name: textOf(call.name) ?? "", args: call.args ?? {}, error: null };
}

function openAiCall(call: Json): ToolCall {
  const asked = objectOf(call.function);
  return {
    id: textOf(call.id) ?? "",
    name: textOf(asked.name) ?? "",
    args: parsed(textOf(asked.arguments) ?? ""),
    error: null,
  };
}

function chunkedCall(call: Json): ToolCall {
  return {
    id: textOf(call.id) ?? "",
    name: textOf(call.name) ?? "",
    args: parsed(textOf(call.args) ?? ""),
    error: null,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function usageOf(value: unknown): Usage | null {
  if (!isObject(value)) return null;
  const input = numberOf(value.input_tokens) ?? 0;
  const output = numberOf(value.output_tokens) ?? 0;
  return {
    input,
    output,
    total: numberOf(value.total_tokens) ?? input + output,
    cached: numberOf(objectOf(value.input_token_details).cache_read) ?? 0,
    reasoning: numberOf(objectOf(value.output_token_details).reasoning) ?? 0,
  };
}

/** All text of a message, for previews and copying. */
export function plainText(message: Message): string {
  return message.blocks
    .flatMap((block) => (block.kind === "text" ? [block.text] : []))
    .join("\n")
    .trim();
}
