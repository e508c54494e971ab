import "@xyflow/react/dist/base.css";

import { ReactFlow, ReactFlowProvider, type Edge, type Node } from "@xyflow/react";
import { useCallback, useMemo, useState } from "react";

import { Controls } from "./Controls";
import { viewOf, groupsOf, type Drawing, type View } from "./drawing";
import { EdgePath, type EdgeContent } from "./EdgePath";
import styles from "./graph.module.css";
import type { Direction, Layout } from "./layout";
import { NodeBox, type NodeContent } from "./NodeBox";
import { stateOf, withGroups, type NodeStates } from "./states";
import { FIT, useLayout } from "./useLayout";

type GraphViewProps = {
  graph: Drawing;
  /** The state of each node in a run; omit it to draw the graph only. */
  states?: NodeStates | undefined;
  selected?: string | null | undefined;
  /** A node or subgraph was clicked; null for the background. */
  onSelect?: ((id: string | null) => void) | undefined;
  /** The name for screen readers. */
  label?: string | undefined;
  /** Subgraphs that are collapsed at first. */
  folded?: readonly string[] | undefined;
};

const NODE_TYPES = { box: NodeBox };
const EDGE_TYPES = { path: EdgePath };
const NO_STATES: NodeStates = {};
const NONE: readonly string[] = [];

/**
 * A graph that fills its container. Subgraphs (fetched with xray) expand and collapse in place; nodes are buttons in
 * execution order.
 */
export function GraphView(props: GraphViewProps) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function Flow({
  graph,
  states = NO_STATES,
  selected = null,
  onSelect,
  label = "Graph",
  folded = NONE,
}: GraphViewProps) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(() => new Set(folded));
  const groups = useMemo(() => groupsOf(graph), [graph]);
  const view = useMemo(() => viewOf(graph, closed), [graph, closed]);
  const figures = states !== NO_STATES;
  const full = useMemo(() => withGroups(states), [states]);
  const { box, layout, direction, setDirection, leave } = useLayout(view, figures, runningIn(view, full));

  const toggle = useCallback((id: string) => {
    setClosed((before) =>
      before.has(id) ? new Set([...before].filter((each) => each !== id)) : new Set([...before, id]),
    );
  }, []);
  const press = useCallback((id: string) => onSelect?.(id), [onSelect]);
  const nodes = useMemo(
    () => nodesOf(view, layout, direction, full, selected, onSelect ? press : null, toggle),
    [view, layout, direction, full, selected, onSelect, press, toggle],
  );
  const edges = useMemo(() => edgesOf(view, layout, full), [view, layout, full]);

  return (
    <div ref={box} className={styles.graph} role="group" aria-label={label}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        fitView
        fitViewOptions={FIT}
        minZoom={0.05}
        maxZoom={2}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        deleteKeyCode={null}
        selectionKeyCode={null}
        zIndexMode="manual"
        zoomOnDoubleClick={false}
        disableKeyboardA11y
        // The wheel scrolls the page, also over the graph; Ctrl or a pinch zooms the graph.
        preventScrolling={false}
        zoomOnScroll={false}
        onPaneClick={() => onSelect?.(null)}
        onMoveStart={(event) => {
          if (event !== null) leave();
        }}
        attributionPosition="bottom-left"
      />
      <Controls
        direction={direction}
        onDirection={setDirection}
        groups={groups.length}
        anyClosed={closed.size > 0}
        onGroups={(open) => setClosed(new Set(open ? [] : groups))}
        onZoom={leave}
      />
    </div>
  );
}

/** The running nodes that are drawn; for an expanded subgraph, its nodes. */
function runningIn(view: View, states: NodeStates): string[] {
  return [...view.nodes.values()]
    .filter(({ id, open }) => !open && stateOf(states, id).phase === "running")
    .map(({ id }) => id);
}

function nodesOf(
  view: View,
  layout: Layout,
  direction: Direction,
  states: NodeStates,
  selected: string | null,
  onPress: ((id: string) => void) | null,
  onToggle: (id: string) => void,
): Node<NodeContent>[] {
  const nodes: Node<NodeContent>[] = [];
  for (const shown of inOrder(view)) {
    const box = layout.boxes.get(shown.id);
    if (!box) continue;
    nodes.push({
      id: shown.id,
      type: "box",
      // Subgraph names above incoming edges, nodes above everything.
      zIndex: shown.open ? 1 : 2,
      position: { x: box.x, y: box.y },
      width: box.width,
      height: box.height,
      data: { shown, state: stateOf(states, shown.id), selected: shown.id === selected, direction, onPress, onToggle },
      ...(shown.parent === null ? {} : { parentId: shown.parent }),
    });
  }
  return nodes;
}

/** Parents before children, as React Flow requires. */
function inOrder(view: View) {
  const depth = (id: string) => id.split(":").length;
  return [...view.nodes.values()].sort((a, b) => depth(a.id) - depth(b.id));
}

/** Start and end have no state; an edge from any other node needs that node to have started. */
function mayHaveRun(view: View, states: NodeStates, id: string): boolean {
  const kind = view.nodes.get(id)?.kind;
  return kind === "start" || kind === "end" || stateOf(states, id).phase !== "idle";
}

function edgesOf(view: View, layout: Layout, states: NodeStates): Edge<EdgeContent>[] {
  return view.edges.map((edge) => ({
    id: edge.id,
    source: edge.source,
    target: edge.target,
    type: "path",
    zIndex: 0,
    data: {
      points: layout.edges.get(edge.id)?.points ?? [],
      labelAt: layout.edges.get(edge.id)?.label ?? null,
      label: edge.label,
      conditional: edge.conditional,
      lit: stateOf(states, edge.target).phase === "running" && mayHaveRun(view, states, edge.source),
    },
  }));
}
