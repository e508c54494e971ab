import { lengthOf, type Span, type SpanStatus } from "./span";

export type NodeStatus = "idle" | "running" | "done" | "failed" | "interrupted";

/** What happened to a node of the drawn graph: how often it ran, and for how many milliseconds in all. */
export type NodeFigures = { status: NodeStatus; count: number; durationMs: number };

const RANK: Record<NodeStatus, number> = { idle: 0, done: 1, interrupted: 2, failed: 3, running: 4 };

/**
 * Figures by the id that a node has in the drawing with open sub-graphs (`research:search`). A sub-graph as a whole
 * (`research`) has figures as well. What was lost with its attempt counts as run, but not as failed.
 */
export function nodeFigures(spans: Iterable<Span>, now: number): Record<string, NodeFigures> {
  const figures = new Map<string, NodeFigures & { at: number; attempt: number }>();
  for (const span of spans) {
    if (span.kind !== "node") continue;
    const id = span.path.join(":");
    const before = figures.get(id) ?? { status: "idle", count: 0, durationMs: 0, at: -1, attempt: 0 };
    before.count += 1;
    before.durationMs += lengthOf(span, now);
    const status = statusOf(span.status);
    // The latest step of a node speaks for it; within one step the worst of them, or what still runs.
    if (span.from > before.at || RANK[status] > RANK[before.status]) before.status = status;
    before.at = Math.max(before.at, span.from);
    figures.set(id, before);
  }
  const plain: Record<string, NodeFigures> = {};
  for (const [id, { status, count, durationMs }] of figures) plain[id] = { status, count, durationMs };
  return plain;
}

function statusOf(status: SpanStatus): NodeStatus {
  return status === "lost" ? "idle" : status;
}
