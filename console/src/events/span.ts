import type { Json } from "./json";

export type SpanKind = "node" | "tool" | "model";

/** `lost`: its attempt was cut short, and it ran again or not at all. */
export type SpanStatus = "running" | "done" | "failed" | "interrupted" | "lost";

/**
 * Something that took time: a node's task, a tool call, a call of a model. Never changed, only replaced.
 * `path` are the names from the root graph down to it; `to` is null while it runs; `guessed` says that its beginning was
 * not in the log and was taken from what came before. `tries` is when each try began, where the log tells of them (`events`):
 * the graph's own retry policy may make several.
 */
export type Span = {
  id: string;
  kind: SpanKind;
  name: string;
  path: readonly string[];
  parent: string | null;
  attempt: number;
  step: number | null;
  from: number;
  to: number | null;
  status: SpanStatus;
  guessed: boolean;
  tries: readonly number[];
  input: unknown;
  output: unknown;
  error: SpanError | null;
  interrupts: readonly unknown[];
};

export type SpanError = { error: string; message: string };

/** How long a span has taken until `now`. */
export function lengthOf(span: Span, now: number): number {
  return Math.max(0, (span.to ?? now) - span.from);
}

/** An error as `tasks`, `error` or a checkpoint say it: an object, or the text of one. */
export function errorOf(value: unknown): SpanError | null {
  if (value === null || value === undefined || value === false) return null;
  if (typeof value === "string") return textError(value);
  if (typeof value !== "object") return null;
  const { error, message } = value as Json;
  return {
    error: typeof error === "string" ? error : "Error",
    message: typeof message === "string" ? message : JSON.stringify(value),
  };
}

/** `ValueError('no such city')`, as a checkpoint keeps it. */
function textError(text: string): SpanError {
  const call = /^(\w+)\((['"])(.*)\2,?\)$/s.exec(text);
  return call ? { error: call[1] ?? "Error", message: call[3] ?? "" } : { error: "Error", message: text };
}
