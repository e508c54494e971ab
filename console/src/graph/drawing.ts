/** The response of `GET /assistants/{id}/graph`. With xray it includes the nodes of subgraphs as `sub:node`. */
export type Drawing = { nodes: readonly DrawingNode[]; edges: readonly DrawingEdge[] };

export type DrawingNode = {
  id: string;
  type?: string;
  data?: unknown;
  metadata?: Record<string, unknown> | null;
};

/** `data` is the label of a conditional edge if it differs from the target's name. */
export type DrawingEdge = { source: string; target: string; conditional?: boolean; data?: string | null };

export type Kind = "start" | "end" | "node" | "group";

/** A node of the view. A group is a subgraph; a collapsed one is drawn as one node without `children`. */
export type Shown = {
  id: string;
  name: string;
  kind: Kind;
  parent: string | null;
  open: boolean;
  children: readonly string[];
  tools: readonly string[];
};

export type ShownEdge = { id: string; source: string; target: string; conditional: boolean; label: string };

export type View = { nodes: ReadonlyMap<string, Shown>; edges: readonly ShownEdge[] };

const START = "__start__";
const END = "__end__";

/** The subgraphs of a drawing, outer ones first. */
export function groupsOf(drawing: Drawing): string[] {
  const groups = new Set<string>();
  for (const node of drawing.nodes) for (const group of pathOf(node.id)) groups.add(group);
  return [...groups];
}

/** Collapse each subgraph in `closed` into one node, which takes over the edges across its border. */
export function viewOf(drawing: Drawing, closed: ReadonlySet<string>): View {
  const nodes = new Map<string, Shown>();
  const drawnAs = new Map<string, string>();
  for (const node of drawing.nodes) {
    const path = pathOf(node.id);
    const fold = path.find((group) => closed.has(group));
    const groups = fold === undefined ? path : path.slice(0, path.indexOf(fold) + 1);
    for (const group of groups) addGroup(nodes, group, group !== fold);
    if (fold === undefined) nodes.set(node.id, shown(node));
    drawnAs.set(node.id, fold ?? node.id);
  }
  const children = new Map<string, string[]>();
  for (const { id, parent } of nodes.values()) {
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), id]);
  }
  for (const [id, node] of nodes) nodes.set(id, { ...node, children: children.get(id) ?? [] });
  return { nodes, edges: edgesOf(drawing, drawnAs) };
}

/** The subgraphs around a node: `sub` and `sub:deep` for `sub:deep:leaf`. LangGraph forbids colons in node names. */
export function pathOf(id: string): string[] {
  const parts = id.split(":");
  return parts.slice(1).map((_, depth) => parts.slice(0, depth + 1).join(":"));
}

/** Map a run's namespace (`["sub:uuid", "deep:uuid"]`) and a node name to a node id of the drawing. */
export function nodeIdOf(namespace: readonly string[], node?: string): string {
  const path = namespace.map((part) => part.split(":")[0] ?? part);
  return [...path, ...(node === undefined ? [] : [node])].join(":");
}

function addGroup(nodes: Map<string, Shown>, id: string, open: boolean): void {
  if (nodes.has(id)) return;
  nodes.set(id, { id, name: nameOf(id), kind: "group", parent: parentOf(id), open, children: [], tools: [] });
}

function shown(node: DrawingNode): Shown {
  const name = nameOf(node.id);
  const kind = name === START ? "start" : name === END ? "end" : "node";
  const text = kind === "node" ? name : kind;
  return { id: node.id, name: text, kind, parent: parentOf(node.id), open: false, children: [], tools: toolsOf(node) };
}

function toolsOf({ metadata }: DrawingNode): string[] {
  const tools = metadata?.__tools;
  return Array.isArray(tools) ? tools.map(String) : [];
}

function edgesOf(drawing: Drawing, drawnAs: ReadonlyMap<string, string>): ShownEdge[] {
  const edges = new Map<string, ShownEdge>();
  for (const edge of drawing.edges) {
    const source = drawnAs.get(edge.source) ?? edge.source;
    const target = drawnAs.get(edge.target) ?? edge.target;
    // Skip edges inside a collapsed subgraph, but keep a node's edge to itself.
    if (source === target && edge.source !== edge.target) continue;
    const label = typeof edge.data === "string" ? edge.data : "";
    const id = `${source} ${target} ${label}`;
    const conditional = edge.conditional === true && (edges.get(id)?.conditional ?? true);
    edges.set(id, { id, source, target, conditional, label });
  }
  return [...edges.values()];
}

function nameOf(id: string): string {
  return id.slice(id.lastIndexOf(":") + 1);
}

function parentOf(id: string): string | null {
  return id.includes(":") ? id.slice(0, id.lastIndexOf(":")) : null;
}
