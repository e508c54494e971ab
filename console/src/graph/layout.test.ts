import { describe, expect, it } from "vitest";

import { viewOf, type Drawing, type View } from "./drawing";
import { absolute, fittingDirection, layoutOf, type Box, type Layout } from "./layout";

const AGENT: Drawing = {
  nodes: ["__start__", "think", "tools", "__end__"].map((id) => ({ id })),
  edges: [
    { source: "__start__", target: "think" },
    { source: "think", target: "tools", conditional: true },
    { source: "think", target: "__end__", conditional: true, data: "done" },
    { source: "tools", target: "think" },
  ],
};

const NESTED: Drawing = {
  nodes: ["__start__", "plan", "sub:a", "sub:deep:b", "sub:deep:c", "left", "right", "__end__"].map((id) => ({ id })),
  edges: [
    { source: "__start__", target: "plan" },
    { source: "plan", target: "sub:a" },
    { source: "sub:a", target: "sub:deep:b" },
    { source: "sub:deep:b", target: "sub:deep:c" },
    { source: "sub:deep:c", target: "left" },
    { source: "sub:deep:c", target: "right" },
    { source: "left", target: "__end__" },
    { source: "right", target: "__end__" },
    { source: "plan", target: "__end__" },
  ],
};

function placed(view: View, layout: Layout, id: string): Box {
  const box = layout.boxes.get(id);
  if (!box) throw new Error(`${id} has no box`);
  return { ...box, ...absolute(view, layout.boxes, id) };
}

function apart(one: Box, other: Box): boolean {
  return (
    one.x + one.width <= other.x ||
    other.x + other.width <= one.x ||
    one.y + one.height <= other.y ||
    other.y + other.height <= one.y
  );
}

function within(inner: Box, outer: Box): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

describe.each(["down", "right"] as const)("layoutOf, %s", (direction) => {
  it.each([
    ["an agent", AGENT, []],
    ["subgraphs", NESTED, []],
    ["subgraphs, one collapsed", NESTED, ["sub:deep"]],
    ["subgraphs, all collapsed", NESTED, ["sub"]],
  ] as const)("keeps %s from overlapping, and nodes inside their subgraph", (_, drawing, closed) => {
    const view = viewOf(drawing, new Set(closed));
    const layout = layoutOf(view, direction);
    const all = [...view.nodes.values()];
    for (const one of all) {
      for (const other of all) {
        if (one.id < other.id && one.parent === other.parent) {
          expect(apart(placed(view, layout, one.id), placed(view, layout, other.id)), `${one.id} and ${other.id}`).toBe(
            true,
          );
        }
      }
      if (one.parent !== null) {
        expect(within(placed(view, layout, one.id), placed(view, layout, one.parent)), `${one.id} in its parent`).toBe(
          true,
        );
      }
    }
  });

  it("draws every edge from its source's border to its target's", () => {
    const view = viewOf(NESTED, new Set());
    const layout = layoutOf(view, direction);
    for (const edge of view.edges) {
      const points = layout.edges.get(edge.id)?.points ?? [];
      expect(touches(points[0], placed(view, layout, edge.source)), `${edge.id} leaves`).toBe(true);
      expect(touches(points.at(-1), placed(view, layout, edge.target)), `${edge.id} arrives`).toBe(true);
    }
  });
});

function touches(point: { x: number; y: number } | undefined, box: Box): boolean {
  if (!point) return false;
  const grown = { x: box.x - 1, y: box.y - 1, width: box.width + 2, height: box.height + 2 };
  return within({ ...point, width: 0, height: 0 }, grown);
}

it("puts later nodes below or to the right", () => {
  const view = viewOf(AGENT, new Set());
  const [down, right] = [layoutOf(view, "down"), layoutOf(view, "right")];
  expect(placed(view, down, "tools").y).toBeGreaterThan(placed(view, down, "think").y);
  expect(placed(view, right, "tools").x).toBeGreaterThan(placed(view, right, "think").x);
});

it("chooses the direction with the larger text", () => {
  const view = viewOf(NESTED, new Set());
  const layouts = { down: layoutOf(view, "down"), right: layoutOf(view, "right") };
  expect(fittingDirection(layouts, { width: 900, height: 160 })).toBe("right");
  expect(fittingDirection(layouts, { width: 300, height: 900 })).toBe("down");
  expect(fittingDirection(layouts, { width: 3000, height: 3000 })).toBe("down");
  expect(fittingDirection(layouts, { width: 0, height: 0 })).toBe("down");
});

it("reserves space for a label", () => {
  const view = viewOf(AGENT, new Set());
  const edge = layoutOf(view).edges.get("think __end__ done");
  expect(edge?.label).not.toBeNull();
});

it("lays out a graph without nodes", () => {
  expect(layoutOf(viewOf({ nodes: [], edges: [] }, new Set())).boxes.size).toBe(0);
});
