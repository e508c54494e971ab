import { messageOf, type Message, type ToolCall } from "./message";
import { outer, ROOT, type Scope, type Transcript } from "./transcript";

/** A tool call with what came of it: its result, and what a subagent said while it worked on it. */
export type CallWithResult = { call: ToolCall; result: Message | null; inner: Subagent | null };

/** What was said inside of a subgraph. */
export type Subagent = { namespace: string; name: string; turns: readonly Turn[] };

/** A message as it is shown. `inner` are subgraphs which no tool call names, that spoke after it. */
export type Turn = {
  key: string;
  message: Message | null;
  calls: readonly CallWithResult[];
  inner: readonly Subagent[];
};

/** A conversation for the eye: results folded into their calls, subagents into theirs. */
export function turnsOf(transcript: Transcript): Turn[] {
  return new Folding(transcript).scope(ROOT);
}

class Folding {
  private readonly transcript: Transcript;
  private readonly children = new Map<string, Scope[]>();
  private readonly linked = new Set<string>();

  constructor(transcript: Transcript) {
    this.transcript = transcript;
    for (const namespace of transcript.links.values()) this.linked.add(namespace);
    for (const scope of transcript.scopes.values()) {
      if (scope.namespace === ROOT) continue;
      const around = this.around(scope.namespace);
      this.children.set(around, [...(this.children.get(around) ?? []), scope]);
    }
  }

  /** The nearest scope around a namespace that says something itself. */
  private around(namespace: string): string {
    let ns = outer(namespace);
    while (ns !== ROOT && !this.transcript.scopes.has(ns)) ns = outer(ns);
    return ns;
  }

  scope(namespace: string): Turn[] {
    const messages = (this.transcript.scopes.get(namespace)?.messages ?? []).map(messageOf);
    const ids = new Set(messages.map((message) => message.id));
    const answers = new Map(
      messages.flatMap((message) => (message.answers === null ? [] : [[message.answers, message]])),
    );
    const asked = new Set(messages.flatMap((message) => message.calls.map((call) => call.id)));
    const spoken = this.unlinked(namespace, ids);
    const turns: Turn[] = [];
    const first = spoken.filter(({ after }) => !ids.has(after)).map(({ inner }) => inner);
    if (first.length > 0) turns.push({ key: `inner:${namespace}`, message: null, calls: [], inner: first });
    messages.forEach((message, index) => {
      const folded = message.answers !== null && asked.has(message.answers);
      const inner = spoken.filter(({ after }) => after !== "" && after === message.id).map((each) => each.inner);
      if (folded && inner.length === 0) return;
      turns.push({
        key: message.id || `${namespace}#${index}`,
        message: folded ? null : message,
        calls: folded ? [] : message.calls.map((call) => this.called(call, answers.get(call.id) ?? null)),
        inner,
      });
    });
    return turns;
  }

  private called(call: ToolCall, result: Message | null): CallWithResult {
    const namespace = this.transcript.links.get(call.id);
    const scope = namespace === undefined ? undefined : this.transcript.scopes.get(namespace);
    return { call, result, inner: scope === undefined ? null : this.inner(scope) };
  }

  /** Subgraphs without a tool call, but for those which say only what the graph around them took over. */
  private unlinked(namespace: string, ids: ReadonlySet<string>): { after: string; inner: Subagent }[] {
    return (this.children.get(namespace) ?? [])
      .filter((scope) => !this.linked.has(scope.namespace))
      .filter((scope) => scope.messages.some((message) => !ids.has(String(message.id))))
      .map((scope) => ({ after: scope.after, inner: this.inner(scope) }));
  }

  private inner(scope: Scope): Subagent {
    return { namespace: scope.namespace, name: scope.name, turns: this.scope(scope.namespace) };
  }
}
