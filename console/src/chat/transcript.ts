import { isObject, listOf, objectOf, textOf, type Json } from "../events/json";
import { mergeChunk } from "./merge";
import { idOf, isMessage, typeOf, type RawMessage } from "./message";
import { sameJson } from "./equality";

/** What a fold needs of an event of a feed; `FeedEvent` and `LoggedEvent` have it. */
export type TranscriptEvent = { mode: string; namespace: readonly string[]; data: unknown };

/** The messages of the graph itself or of one subgraph. `""` is the graph. */
export type Scope = {
  namespace: string;
  /** The agent's name, or else the node's whose inside it is. */
  name: string;
  messages: readonly RawMessage[];
  /** What was said last in the scope around it, when it began. */
  after: string;
};

/** A conversation as far as it is known: messages of the state, then what a run says. Values, never changed in place. */
export type Transcript = {
  /** The key of the state that holds messages. */
  key: string;
  scopes: ReadonlyMap<string, Scope>;
  /** Which subgraph works for which tool call: namespace by the call's id. */
  links: ReadonlyMap<string, string>;
};

export const ROOT = "";

/** Keys of a state whose values are lists of messages, `messages` first. */
export function messageKeys(values: unknown): string[] {
  const keys = Object.entries(objectOf(values)).flatMap(([key, value]) =>
    Array.isArray(value) && value.length > 0 && value.every(isMessage) ? [key] : [],
  );
  return keys.sort((a, b) => Number(b === "messages") - Number(a === "messages"));
}

export function transcriptOf(values: unknown, key = messageKeys(values)[0] ?? "messages"): Transcript {
  const root: Scope = { namespace: ROOT, name: "", messages: messagesIn(values, key) ?? [], after: "" };
  return { key, scopes: new Map([[ROOT, root]]), links: new Map() };
}

export function messagesIn(values: unknown, key: string): readonly RawMessage[] | null {
  const list = objectOf(values)[key];
  return Array.isArray(list) ? list.filter(isMessage) : null;
}

/** The conversation after some more events of a run. Any split of the events into batches gives the same. */
export function foldTranscript(transcript: Transcript, events: readonly TranscriptEvent[]): Transcript {
  const draft = new Draft(transcript);
  for (const event of events) draft.take(event);
  return draft.done();
}

class Draft {
  private scopes: Map<string, Scope> | null = null;
  private links: Map<string, string> | null = null;
  private readonly transcript: Transcript;

  constructor(transcript: Transcript) {
    this.transcript = transcript;
  }

  done(): Transcript {
    if (this.scopes === null && this.links === null) return this.transcript;
    return {
      key: this.transcript.key,
      scopes: this.scopes ?? this.transcript.scopes,
      links: this.links ?? this.transcript.links,
    };
  }

  take({ mode, namespace, data }: TranscriptEvent): void {
    const ns = namespace.join("|");
    if (mode === "messages") this.piece(ns, data);
    else if (mode === "messages/partial" || mode === "messages/complete") this.wholes(ns, listOf(data));
    else if (mode === "values") this.values(ns, data);
    else if (mode === "updates") this.updates(ns, objectOf(data));
    else if (mode === "tasks") this.task(ns, objectOf(data));
    else if (mode === "metadata" && Number(objectOf(data).attempt) > 1) this.again();
  }

  /** `[message or a piece of it, metadata]`. The metadata knows the subgraph also where the event's name does not. */
  private piece(ns: string, data: unknown): void {
    const [said, about] = listOf(data);
    if (!isMessage(said)) return;
    const meta = objectOf(about);
    const agent = textOf(meta.lc_agent_name);
    const inside = within(textOf(meta.langgraph_checkpoint_ns)) ?? ns;
    const scope = this.named(this.scope(inside), agent);
    const isPiece = isStreaming(said);
    // The finished message will carry the agent's name.
    const given = isPiece && agent !== null ? { ...said, name: textOf(said.name) ?? agent } : said;
    const at = lastIndex(scope.messages, idOf(given));
    const before = scope.messages[at];
    if (before === undefined) this.put(scope, [...scope.messages, given]);
    else if (isPiece && isStreaming(before)) this.put(scope, scope.messages.with(at, mergeChunk(before, given)));
    else if (!isPiece) this.put(scope, scope.messages.with(at, given));
  }

  private wholes(ns: string, messages: readonly unknown[]): void {
    this.add(this.scope(ns), messages);
  }

  /** A state is the truth: what was said on the way to it and is not in it was not meant for the conversation. */
  private values(ns: string, data: unknown): void {
    const messages = messagesIn(data, this.transcript.key);
    if (messages === null || (ns !== ROOT && messages.length === 0)) return;
    const scope = this.scope(ns);
    const known = new Map(scope.messages.map((message) => [idOf(message), message]));
    this.put(
      scope,
      messages.map((message) => {
        const before = known.get(idOf(message));
        return before !== undefined && sameJson(before, message) ? before : message;
      }),
    );
  }

  private updates(ns: string, data: Json): void {
    for (const update of Object.values(data)) {
      for (const each of Array.isArray(update) ? (update as unknown[]) : [update]) {
        const given = objectOf(each)[this.transcript.key];
        if (given !== undefined) this.add(this.scope(ns), Array.isArray(given) ? (given as unknown[]) : [given]);
      }
    }
  }

  private add(scope: Scope, given: readonly unknown[]): void {
    let messages = scope.messages;
    for (const message of given) {
      if (!isMessage(message)) continue;
      if (typeOf(message) === "remove") messages = without(messages, idOf(message));
      else {
        const at = idOf(message) === "" ? -1 : lastIndex(messages, idOf(message));
        messages = at < 0 ? [...messages, message] : messages.with(at, message);
      }
    }
    this.put(scope, messages);
  }

  /** A task that begins with a tool call: what happens inside of it, happens for that call. */
  private task(ns: string, data: Json): void {
    const call = calledWith(data.input);
    const name = textOf(data.name);
    const id = textOf(data.id);
    if (call === null || name === null || id === null) return;
    this.links ??= new Map(this.transcript.links);
    this.links.set(call, ns === ROOT ? `${name}:${id}` : `${ns}|${name}:${id}`);
  }

  /** Another attempt of the run: what the last one was in the middle of saying is said anew. */
  private again(): void {
    for (const scope of [...(this.scopes ?? this.transcript.scopes).values()]) {
      const kept = scope.messages.filter((message) => !isStreaming(message));
      if (kept.length < scope.messages.length) this.put(scope, kept);
    }
  }

  /** An agent's name says more than that of the node whose inside it is. */
  private named(scope: Scope, agent: string | null): Scope {
    return agent === null || scope.namespace === ROOT ? scope : { ...scope, name: agent };
  }

  private scope(ns: string): Scope {
    const scopes = this.scopes ?? this.transcript.scopes;
    const around = scopes.get(outer(ns)) ?? scopes.get(ROOT);
    const last = around?.messages.at(-1);
    return (
      scopes.get(ns) ?? { namespace: ns, name: nodeOf(ns), messages: [], after: last === undefined ? "" : idOf(last) }
    );
  }

  private put(scope: Scope, messages: readonly RawMessage[]): void {
    if (messages === scope.messages) return;
    this.scopes ??= new Map(this.transcript.scopes);
    this.scopes.set(scope.namespace, { ...scope, messages });
  }
}

/** Whether more of a message is to come: it is still in pieces. */
export function isStreaming(message: RawMessage): boolean {
  return (textOf(message.type) ?? "").endsWith("Chunk");
}

// What streams is near the end.
function lastIndex(messages: readonly RawMessage[], id: string): number {
  return messages.findLastIndex((message) => message.id === id);
}

const ALL = "__remove_all__";

function without(messages: readonly RawMessage[], id: string): readonly RawMessage[] {
  return id === ALL ? [] : messages.filter((message) => idOf(message) !== id);
}

/** The namespace of the graph that a model was called in: that of its own task without the task. */
function within(checkpointNs: string | null): string | null {
  return checkpointNs === null ? null : outer(checkpointNs);
}

export function outer(ns: string): string {
  const cut = ns.lastIndexOf("|");
  return cut < 0 ? ROOT : ns.slice(0, cut);
}

function nodeOf(ns: string): string {
  const last = ns.slice(ns.lastIndexOf("|") + 1);
  const colon = last.indexOf(":");
  return colon < 0 ? last : last.slice(0, colon);
}

/** The id of the tool call that a task was given: alone, in a list, or with the state beside it. */
export function calledWith(input: unknown): string | null {
  const given = Array.isArray(input) && input.length === 1 ? (input as unknown[])[0] : input;
  if (!isObject(given)) return null;
  const call = isObject(given.tool_call) ? given.tool_call : given;
  return call.type === "tool_call" || "tool_call" in given ? textOf(call.id) : null;
}
