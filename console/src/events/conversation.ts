import { segmentsOf, type LoggedEvent } from "./event";
import { isObject, listOf, objectOf, textOf, type Json } from "./json";
import { mergeChunk, settled } from "./chunks";

/** A message as LangChain writes it: `type`, `content`, `id`, `tool_calls` … */
export type Message = Json;

/**
 * A message of the run. `path` are the nodes that it came from, outermost first; `streaming` until its last chunk came;
 * `earlier` if the thread had it before; `lost` if its attempt was cut short while it was being written.
 */
export type Spoken = {
  key: string;
  message: Message;
  path: readonly string[];
  attempt: number;
  at: number;
  until: number;
  chunks: number;
  streaming: boolean;
  earlier: boolean;
  lost: boolean;
};

/** The messages of a run, in the order in which they were first heard of. */
export type Conversation = {
  messages: Map<string, Spoken>;
  writing: Set<string>;
  attempt: number;
  sawState: boolean;
  unnamed: number;
};

export function startConversation(): Conversation {
  return { messages: new Map(), writing: new Set(), attempt: 1, sawState: false, unnamed: 0 };
}

export function copyConversation(from: Conversation): Conversation {
  return { ...from, messages: new Map(from.messages), writing: new Set(from.writing) };
}

export function foldConversation(talk: Conversation, event: LoggedEvent): void {
  switch (event.mode) {
    case "metadata":
      return beginAttempt(talk, event);
    case "messages":
      return foldTuple(talk, event);
    case "messages/metadata":
      return foldMetadata(talk, event);
    case "messages/partial":
    case "messages/complete":
      for (const message of listOf(event.data))
        if (isObject(message)) put(talk, message, event, event.mode === "messages/partial");
      return;
    case "updates":
      for (const [node, update] of Object.entries(objectOf(event.data))) foldWhole(talk, update, event, node);
      return;
    case "values":
      foldWhole(talk, event.data, event, null);
      talk.sawState = true;
      return;
    case "end":
    case "error":
      for (const key of talk.writing) settle(talk, key, event.at);
      talk.writing.clear();
      return;
    default:
  }
}

function beginAttempt(talk: Conversation, event: LoggedEvent): void {
  talk.attempt = Number(objectOf(event.data).attempt) || talk.attempt;
  for (const key of talk.writing) {
    const spoken = talk.messages.get(key);
    if (spoken) talk.messages.set(key, { ...spoken, streaming: false, lost: true });
  }
  talk.writing.clear();
}

function foldTuple(talk: Conversation, event: LoggedEvent): void {
  const [message, metadata] = listOf(event.data);
  if (!isObject(message)) return;
  const path = segmentsOf(textOf(objectOf(metadata).langgraph_checkpoint_ns) ?? "").map((segment) => segment.name);
  if (message.type !== "AIMessageChunk") {
    put(talk, message, event, false, path);
    return;
  }
  const key = keyOf(talk, message);
  const before = talk.messages.get(key);
  const goesOn = before?.streaming === true;
  talk.messages.set(key, {
    ...fresh(talk, key, event, path),
    ...(before && { at: before.at, path: before.path, earlier: before.earlier }),
    message: goesOn ? mergeChunk(before.message, message) : settled(message),
    chunks: goesOn ? before.chunks + 1 : 1,
    streaming: message.chunk_position !== "last",
  });
  if (message.chunk_position === "last") talk.writing.delete(key);
  else talk.writing.add(key);
}

/** Says of messages to come where they are from. */
function foldMetadata(talk: Conversation, event: LoggedEvent): void {
  for (const [id, said] of Object.entries(objectOf(event.data))) {
    const namespace = textOf(objectOf(objectOf(said).metadata).langgraph_checkpoint_ns) ?? "";
    const path = segmentsOf(namespace).map((segment) => segment.name);
    const before = talk.messages.get(id);
    if (before) talk.messages.set(id, { ...before, path });
    else
      talk.messages.set(id, { ...fresh(talk, id, event, path), message: { id, type: "ai", content: "" }, chunks: 0 });
  }
}

/** Lists of messages in a state or in what a node gives. They are whole: what was being written is now finished. */
function foldWhole(talk: Conversation, state: unknown, event: LoggedEvent, node: string | null): void {
  const earlier = event.mode === "values" && !talk.sawState && event.namespace.length === 0;
  const above = segmentsOf(event.namespace).map((segment) => segment.name);
  for (const part of Array.isArray(state) ? state : [state]) {
    for (const value of Object.values(objectOf(part))) {
      for (const message of messagesOf(value)) {
        if (typeof message.id !== "string") continue;
        const known = talk.messages.get(message.id);
        if (known && !known.streaming && known.chunks === 0 && !known.lost) continue;
        put(talk, message, event, false, node === null ? above : [...above, node], earlier);
      }
    }
  }
}

/** The messages in a value, if it is a list of them. */
export function messagesOf(value: unknown): Message[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is Message => isObject(item) && typeof item.type === "string" && "content" in item);
}

function put(
  talk: Conversation,
  message: Message,
  event: LoggedEvent,
  partial: boolean,
  path?: readonly string[],
  earlier = false,
): void {
  const key = keyOf(talk, message);
  const before = talk.messages.get(key);
  talk.messages.set(key, {
    ...fresh(talk, key, event, path ?? []),
    ...(before && { at: before.at, path: before.path.length > 0 ? before.path : (path ?? []) }),
    message,
    chunks: partial ? (before?.chunks ?? 0) + 1 : 0,
    streaming: partial,
    earlier: before?.earlier ?? earlier,
  });
  if (partial) talk.writing.add(key);
  else talk.writing.delete(key);
}

function settle(talk: Conversation, key: string, at: number): void {
  const spoken = talk.messages.get(key);
  if (spoken) talk.messages.set(key, { ...spoken, streaming: false, until: at });
}

function keyOf(talk: Conversation, message: Message): string {
  return textOf(message.id) ?? `unnamed-${(talk.unnamed += 1)}`;
}

function fresh(talk: Conversation, key: string, event: LoggedEvent, path: readonly string[]): Spoken {
  return {
    key,
    message: {},
    path,
    attempt: talk.attempt,
    at: event.at,
    until: event.at,
    chunks: 1,
    streaming: true,
    earlier: false,
    lost: false,
  };
}
