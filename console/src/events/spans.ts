import type { Segment } from "./event";
import type { Span, SpanStatus } from "./span";

export type Attempt = { attempt: number; from: number; to: number | null };

/**
 * What ran when, folded from whichever modes the log holds. Exact where `tasks`, `debug` or `events` are there; from
 * `checkpoints`, `updates` and messages it is as near as these allow, and says so (`guessed`).
 */
export type Timeline = {
  spans: Map<string, Span>;
  /** Ids of the spans that run, oldest first. */
  open: Set<string>;
  attempts: readonly Attempt[];
  attempt: number;
  /** When the last event came. */
  heardAt: number;
  /** When the last step of a graph ended: by its namespace as a text. */
  bounds: Map<string, number>;
  /** Tool calls by the id that the model gave them. */
  calls: Map<string, string>;
  knowsTasks: boolean;
  knowsTools: boolean;
  interrupted: boolean;
  guesses: number;
};

export function startTimeline(): Timeline {
  return {
    spans: new Map(),
    open: new Set(),
    attempts: [],
    attempt: 1,
    heardAt: 0,
    bounds: new Map(),
    calls: new Map(),
    knowsTasks: false,
    knowsTools: false,
    interrupted: false,
    guesses: 0,
  };
}

export function copyTimeline(from: Timeline): Timeline {
  return {
    ...from,
    spans: new Map(from.spans),
    open: new Set(from.open),
    bounds: new Map(from.bounds),
    calls: new Map(from.calls),
  };
}

type Known = { guessed: boolean; step?: number | null; input?: unknown };

/** The task's span: begun now if it is new, else with what is known better now. */
export function begin(timeline: Timeline, above: Segment[], own: Segment, at: number, known: Known): Span {
  const id = spanId(timeline, own.task);
  const span = timeline.spans.get(id);
  const step = known.step ?? span?.step ?? null;
  if (span !== undefined) {
    const exact = span.guessed && !known.guessed;
    const better: Span = {
      ...span,
      step,
      input: known.input ?? span.input,
      guessed: span.guessed && known.guessed,
      from: exact && span.to === null ? at : span.from,
    };
    return replace(timeline, better);
  }
  const parent = above[above.length - 1];
  return open(timeline, {
    id,
    kind: "node",
    name: own.name,
    path: [...above.map((segment) => segment.name), own.name],
    parent: parent ? spanId(timeline, parent.task) : null,
    step,
    from: known.guessed ? (boundOf(timeline, above) ?? at) : at,
    input: known.input,
    guessed: known.guessed,
  });
}

/** A step begins when the last one ended; the first one of a subgraph with the node that it is the inside of. */
function boundOf(timeline: Timeline, above: Segment[]): number | null {
  const bound = timeline.bounds.get(above.map(({ name, task }) => `${name}:${task}`).join("|"));
  if (bound !== undefined) return bound;
  const parent = above[above.length - 1];
  return (parent && timeline.spans.get(spanId(timeline, parent.task))?.from) ?? null;
}

export function runningNodes(timeline: Timeline, above: Segment[]): Span[] {
  const path = above.map((segment) => segment.name).join(":");
  const found: Span[] = [];
  for (const id of timeline.open) {
    const span = timeline.spans.get(id);
    if (span?.kind === "node" && span.path.slice(0, -1).join(":") === path) found.push(span);
  }
  return found;
}

/** A task keeps its id when a later attempt runs it again. */
export function spanId(timeline: Timeline, task: string): string {
  return `${timeline.attempt}:${task}`;
}

type Opening = Pick<Span, "id" | "kind" | "name" | "path" | "parent" | "from" | "input"> & Partial<Span>;

export function open(timeline: Timeline, opening: Opening): Span {
  timeline.open.add(opening.id);
  return replace(timeline, {
    attempt: timeline.attempt,
    step: null,
    to: null,
    status: "running",
    guessed: false,
    tries: [],
    output: undefined,
    error: null,
    interrupts: [],
    ...opening,
  });
}

export function replace(timeline: Timeline, span: Span): Span {
  timeline.spans.set(span.id, span);
  return span;
}

/** Ends a span once: a later word on the same end changes its status only for a worse one. */
export function close(timeline: Timeline, id: string, at: number, status: SpanStatus): void {
  const span = timeline.spans.get(id);
  if (span === undefined) return;
  timeline.open.delete(id);
  const worse = status === "failed" || status === "interrupted";
  if (span.to !== null && !worse) return;
  replace(timeline, { ...span, to: span.to ?? Math.max(at, span.from), status });
}
