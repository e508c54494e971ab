/** What `GET /assistants/{id}/graph` answers. With xray, nodes of sub-graphs are there too, as `sub:node`. */
export type Drawing = { nodes: readonly DrawingNode[]; edges: readonly DrawingEdge[] };

export type DrawingNode = {
  id: string;
  type?: string;
  data?: unknown;
  metadata?: Record<string, unknown> | null;
};

/** `data` is the label of a conditional edge, where it says more than its target's name. */
export type DrawingEdge = { source: string; target: string; conditional?: boolean; data?: string | null };

export type Kind = "start" | "end" | "node" | "group";

/** A node as it is shown. A group is a sub-graph; a closed one is drawn as one node and has no `children`. */
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

/** The sub-graphs of a drawing, outer ones before those in them. */
export function groupsOf(drawing: Drawing): string[] {
  const groups = new Set<string>();
  for (const node of drawing.nodes) for (const group of pathOf(node.id)) groups.add(group);
  return [...groups];
}

/** A drawing with the sub-graphs in `closed` folded to a node each: edges into and out of them end at that node. */
export function viewOf(drawing: Drawing, closed: ReadonlySet<string>): View {
  const nodes = new Map<string, Shown>();
  const stand = new Map<string, string>();
  for (const node of drawing.nodes) {
    const path = pathOf(node.id);
    const fold = path.find((group) => closed.has(group));
    const groups = fold === undefined ? path : path.slice(0, path.indexOf(fold) + 1);
    for (const group of groups) addGroup(nodes, group, group !== fold);
    if (fold === undefined) nodes.set(node.id, shown(node));
    stand.set(node.id, fold ?? node.id);
  }
  const children = new Map<string, string[]>();
  for (const { id, parent } of nodes.values()) {
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), id]);
  }
  for (const [id, node] of nodes) nodes.set(id, { ...node, children: children.get(id) ?? [] });
  return { nodes, edges: edgesOf(drawing, stand) };
}

/** `sub:deep:leaf` lies in `sub` and `sub:deep`. LangGraph allows no colon in the name of a node. */
export function pathOf(id: string): string[] {
  const parts = id.split(":");
  return parts.slice(1).map((_, depth) => parts.slice(0, depth + 1).join(":"));
}

/** The node of a drawing that a running graph means by a namespace (`["sub:uuid", "deep:uuid"]`) and a node's name. */
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

function edgesOf(drawing: Drawing, stand: ReadonlyMap<string, string>): ShownEdge[] {
  const edges = new Map<string, ShownEdge>();
  for (const edge of drawing.edges) {
    const source = stand.get(edge.source) ?? edge.source;
    const target = stand.get(edge.target) ?? edge.target;
    // What runs inside of a folded sub-graph is not seen; a node that goes to itself is.
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
