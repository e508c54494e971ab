import { pathOf } from "./drawing";

export type NodePhase = "idle" | "running" | "done" | "failed" | "interrupted";

/** How a node stands in a run: `count` is how often it was begun, `durationMs` how long it took or has taken so far, in all. */
export type NodeState = { phase: NodePhase; count?: number | undefined; durationMs?: number | undefined };

/** By id of the drawing (`sub:node`; see `nodeIdOf`). What is missing is idle. */
export type NodeStates = Readonly<Record<string, NodeState>>;

const IDLE: NodeState = { phase: "idle" };

// What is shown of a sub-graph whose own state nobody gave: the most urgent of what is in it.
const URGENCY: readonly NodePhase[] = ["running", "failed", "interrupted", "done", "idle"];

/** The states with those of sub-graphs that are not among them, made from what is inside. */
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
