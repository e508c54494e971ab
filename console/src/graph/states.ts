import { pathOf } from "./drawing";

export type NodePhase = "idle" | "running" | "done" | "failed" | "interrupted";

/** The state of a node in a run: `count` is the number of executions, `durationMs` their total time so far. */
export type NodeState = { phase: NodePhase; count?: number | undefined; durationMs?: number | undefined };

/** States by node id (`sub:node`; see `nodeIdOf`). Missing nodes are idle. */
export type NodeStates = Readonly<Record<string, NodeState>>;

const IDLE: NodeState = { phase: "idle" };

// A subgraph without its own state shows the most urgent state of its nodes.
const URGENCY: readonly NodePhase[] = ["running", "failed", "interrupted", "done", "idle"];

/** Add states for subgraphs that have none, derived from their nodes. */
export function withGroups(states: NodeStates): NodeStates {
  const inside = new Map<string, NodePhase>();
  for (const [id, { phase }] of Object.entries(states)) {
    for (const group of pathOf(id)) inside.set(group, urgent(inside.get(group) ?? "idle", phase));
  }
  const derived = [...inside].filter(([id]) => states[id] === undefined);
  if (derived.length === 0) return states;
  return { ...states, ...Object.fromEntries(derived.map(([id, phase]) => [id, { phase }])) };
}

export function stateOf(states: NodeStates, id: string): NodeState {
  return states[id] ?? IDLE;
}

function urgent(one: NodePhase, other: NodePhase): NodePhase {
  return URGENCY.indexOf(one) <= URGENCY.indexOf(other) ? one : other;
}
