import { lengthOf, type Span, type SpanStatus } from "./span";

export type NodePhase = "idle" | "running" | "done" | "failed" | "interrupted";

/** What happened to a node of the drawn graph: how often it ran, and for how many milliseconds in all. */
export type NodeFigures = { phase: NodePhase; count: number; durationMs: number };

const RANK: Record<NodePhase, number> = { idle: 0, done: 1, interrupted: 2, failed: 3, running: 4 };

/**
 * Figures by the id that a node has in the drawing with open subgraphs (`research:search`). A subgraph as a whole
 * (`research`) has figures as well. What was lost with its attempt counts as run, but not as failed.
 */
export function nodeFigures(spans: Iterable<Span>, now: number): Record<string, NodeFigures> {
  const figures = new Map<string, NodeFigures & { latest: number }>();
  for (const span of spans) {
    if (span.kind !== "node") continue;
    const id = span.path.join(":");
    const known = figures.get(id) ?? { phase: "idle", count: 0, durationMs: 0, latest: -1 };
    known.count += 1;
    known.durationMs += lengthOf(span, now);
    const phase = phaseOf(span.status);
    // The latest step of a node speaks for it; within one step the worst of them, or what still runs.
    if (span.from > known.latest || RANK[phase] > RANK[known.phase]) known.phase = phase;
    known.latest = Math.max(known.latest, span.from);
    figures.set(id, known);
  }
  const plain: Record<string, NodeFigures> = {};
  for (const [id, { phase, count, durationMs }] of figures) plain[id] = { phase, count, durationMs };
  return plain;
}

function phaseOf(status: SpanStatus): NodePhase {
  return status === "lost" ? "idle" : status;
}
