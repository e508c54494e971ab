import dagre from "@dagrejs/dagre";

import type { Shown, ShownEdge, View } from "./drawing";

export type Direction = "down" | "right";

export type Point = { x: number; y: number };

export type Box = Point & { width: number; height: number };

/** Boxes relative to their parent, points and labels absolute, as React Flow expects. */
export type Layout = {
  boxes: ReadonlyMap<string, Box>;
  edges: ReadonlyMap<string, { points: readonly Point[]; label: Point | null }>;
  width: number;
  height: number;
};

const NODE_HEIGHT = 34;
const HEAD = 38;
const PAD = 14;
// Widths for 12 px monospace; a node also has room for its mark and, in a run, duration and count.
const CHAR = 7.3;
const NODE_EXTRA = 44;
const FIGURES = 78;
const NODE_WIDTHS = [104, 330] as const;

type Size = { width: number; height: number };
type Path = { points: Point[]; label: Point | null; owner: string | null };

/**
 * Lay out inner subgraphs first; each is one box in the layout around it. An edge belongs to the innermost layout with
 * both of its ends. `figures` reserves room in nodes for duration and count.
 */
export function layoutOf(view: View, direction: Direction = "down", figures = false): Layout {
  const boxes = new Map<string, Box>();
  const paths = new Map<string, Path>();
  const root = part(view, null, direction, boxes, paths, figures);
  const edges = new Map<string, { points: readonly Point[]; label: Point | null }>();
  for (const edge of view.edges) {
    const path = paths.get(edge.id);
    if (path) edges.set(edge.id, placed(view, boxes, edge, path, direction));
  }
  return { boxes, edges, width: root.width, height: root.height };
}

/** Downwards, unless left to right is clearly larger in the available room. */
export function fittingDirection(layouts: Record<Direction, Layout>, room: Size): Direction {
  return scaleIn(layouts.right, room) > 1.1 * scaleIn(layouts.down, room) ? "right" : "down";
}

/** The scale at which a layout fits into a room, at most 1. */
export function scaleIn({ width, height }: Size, room: Size): number {
  return Math.min(room.width / width, room.height / height, 1);
}

/** The position of a box in the whole drawing. */
export function absolute(view: View, boxes: ReadonlyMap<string, Box>, id: string | null): Point {
  if (id === null) return { x: 0, y: 0 };
  const box = boxes.get(id) ?? { x: 0, y: 0 };
  const outer = absolute(view, boxes, view.nodes.get(id)?.parent ?? null);
  return { x: outer.x + box.x, y: outer.y + box.y };
}

function part(
  view: View,
  owner: string | null,
  direction: Direction,
  boxes: Map<string, Box>,
  paths: Map<string, Path>,
  figures: boolean,
): Size {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: direction === "down" ? "TB" : "LR", nodesep: 26, ranksep: 32, edgesep: 18 });
  graph.setDefaultEdgeLabel(() => ({}));
  const members = [...view.nodes.values()].filter((node) => node.parent === owner);
  for (const node of members) graph.setNode(node.id, sizeOf(view, node, direction, boxes, paths, figures));
  for (const edge of view.edges) {
    const ends = endsIn(view, owner, edge);
    if (ends) graph.setEdge(ends[0], ends[1], labelSize(edge.label), edge.id);
  }
  dagre.layout(graph);
  const inset = owner === null ? { x: 0, y: 0 } : { x: PAD, y: HEAD };
  for (const { id } of members) {
    const { x, y, width, height } = graph.node(id) as Box;
    boxes.set(id, { ...moved({ x: x - width / 2, y: y - height / 2 }, inset), width, height });
  }
  for (const end of graph.edges()) {
    const { points, x, y } = graph.edge(end) as Laid;
    const label = x === undefined || y === undefined ? null : moved({ x, y }, inset);
    paths.set(end.name ?? "", { points: (points ?? []).map((point) => moved(point, inset)), label, owner });
  }
  const { width = 0, height = 0 } = graph.graph() as Partial<Size>;
  return owner === null ? { width, height } : { width: width + 2 * PAD, height: height + HEAD + PAD };
}

/** Dagre's data of an edge: `x` and `y` are the position of its label, if any. */
type Laid = { points?: Point[]; x?: number; y?: number };

function moved({ x, y }: Point, by: Point): Point {
  return { x: x + by.x, y: y + by.y };
}

function sizeOf(
  view: View,
  node: Shown,
  direction: Direction,
  boxes: Map<string, Box>,
  paths: Map<string, Path>,
  figures: boolean,
): Size {
  if (node.children.length > 0) {
    const size = part(view, node.id, direction, boxes, paths, figures);
    // Edges enter at the middle; make the box wide enough that they do not cross its name.
    const name = node.name.length * CHAR + 40;
    return widened(node, size, direction === "down" ? 2 * name : name + 60, boxes, paths);
  }
  if (node.kind === "start" || node.kind === "end") return { width: 62, height: 26 };
  const [least, most] = NODE_WIDTHS;
  const extra = NODE_EXTRA + (node.kind === "group" ? 22 : 0) + (figures ? FIGURES : 0);
  return { width: Math.min(Math.max(node.name.length * CHAR + extra, least), most), height: NODE_HEIGHT };
}

/** Widen a subgraph to `least` and center its content. */
function widened(node: Shown, size: Size, least: number, boxes: Map<string, Box>, paths: Map<string, Path>): Size {
  const by = { x: Math.max(0, least - size.width) / 2, y: 0 };
  if (by.x === 0) return size;
  for (const id of node.children) {
    const box = boxes.get(id);
    if (box) boxes.set(id, { ...box, ...moved(box, by) });
  }
  for (const [id, path] of paths) {
    if (path.owner !== node.id) continue;
    paths.set(id, {
      ...path,
      points: path.points.map((point) => moved(point, by)),
      label: path.label && moved(path.label, by),
    });
  }
  return { width: least, height: size.height };
}

function labelSize(label: string) {
  return label === "" ? {} : { width: label.length * 6.6 + 10, height: 18, labelpos: "c" };
}

/** The members of `owner`'s layout that contain the two ends, or null if the edge is drawn elsewhere. */
function endsIn(view: View, owner: string | null, { source, target }: ShownEdge): [string, string] | null {
  const from = memberOf(view, owner, source);
  const to = memberOf(view, owner, target);
  if (from === null || to === null) return null;
  // If both ends are in one inner subgraph, the edge is drawn there.
  return from !== to || source === target ? [from, to] : null;
}

function memberOf(view: View, owner: string | null, id: string): string | null {
  for (let at = view.nodes.get(id); at; at = at.parent === null ? undefined : view.nodes.get(at.parent)) {
    if (at.parent === owner) return at.id;
  }
  return null;
}

/** A path in the whole drawing. If an end is nested in the box, the path is extended from the border to it. */
function placed(view: View, boxes: Map<string, Box>, edge: ShownEdge, path: Path, direction: Direction) {
  const origin = absolute(view, boxes, path.owner);
  const points = path.points.map((point) => moved(point, origin));
  const label = path.label && moved(path.label, origin);
  const parentIs = (id: string) => view.nodes.get(id)?.parent === path.owner;
  if (!parentIs(edge.source)) points.splice(0, 1, side(view, boxes, edge.source, direction, "out"));
  if (!parentIs(edge.target)) points.splice(-1, 1, side(view, boxes, edge.target, direction, "in"));
  return { points, label };
}

function side(view: View, boxes: Map<string, Box>, id: string, direction: Direction, end: "in" | "out"): Point {
  const { x, y } = absolute(view, boxes, id);
  const { width, height } = boxes.get(id) ?? { width: 0, height: 0 };
  const far = end === "out" ? 1 : 0;
  return direction === "down" ? { x: x + width / 2, y: y + height * far } : { x: x + width * far, y: y + height / 2 };
}
