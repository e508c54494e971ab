export { nodeIdOf, groupsOf, type Drawing, type DrawingEdge, type DrawingNode } from "./drawing";
export { GraphView } from "./GraphView";
export type { NodePhase, NodeState, NodeStates } from "./states";
