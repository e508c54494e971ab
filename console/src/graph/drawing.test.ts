import { describe, expect, it } from "vitest";

import { groupsOf, nodeIdOf, viewOf, type Drawing } from "./drawing";

const NESTED: Drawing = {
  nodes: ["__start__", "plan", "sub:read", "sub:deep:leaf", "sub:deep:other", "__end__"].map((id) => ({ id })),
  edges: [
    { source: "__start__", target: "plan" },
    { source: "plan", target: "sub:read" },
    { source: "sub:read", target: "sub:deep:leaf", conditional: true, data: "yes" },
    { source: "sub:deep:leaf", target: "sub:deep:other" },
    { source: "sub:deep:other", target: "sub:deep:other" },
    { source: "sub:deep:other", target: "__end__" },
  ],
};

const ends = (closed: string[]) =>
  viewOf(NESTED, new Set(closed)).edges.map((edge) => [edge.source, edge.target].join(">"));

describe("viewOf", () => {
  it("expands every subgraph by default", () => {
    const { nodes, edges } = viewOf(NESTED, new Set());
    expect([...nodes.keys()]).toEqual([
      "__start__",
      "plan",
      "sub",
      "sub:read",
      "sub:deep",
      "sub:deep:leaf",
      "sub:deep:other",
      "__end__",
    ]);
    expect(nodes.get("sub")).toMatchObject({
      kind: "group",
      open: true,
      children: ["sub:read", "sub:deep"],
      parent: null,
    });
    expect(nodes.get("sub:deep")).toMatchObject({
      parent: "sub",
      open: true,
      children: ["sub:deep:leaf", "sub:deep:other"],
    });
    expect(edges).toHaveLength(NESTED.edges.length);
    expect(edges[2]).toMatchObject({ conditional: true, label: "yes" });
  });

  it("collapses a subgraph into one node and keeps the edges across its border", () => {
    const { nodes } = viewOf(NESTED, new Set(["sub:deep"]));
    expect(nodes.get("sub:deep")).toMatchObject({ kind: "group", open: false, children: [] });
    expect(nodes.has("sub:deep:leaf")).toBe(false);
    expect(ends(["sub:deep"])).toEqual([
      "__start__>plan",
      "plan>sub:read",
      "sub:read>sub:deep",
      "sub:deep>sub:deep",
      "sub:deep>__end__",
    ]);
  });

  it("collapses to the outermost closed subgraph", () => {
    const { nodes } = viewOf(NESTED, new Set(["sub", "sub:deep"]));
    expect([...nodes.keys()]).toEqual(["__start__", "plan", "sub", "__end__"]);
  });

  it("merges duplicate edges, unconditional if one of them is", () => {
    const drawing: Drawing = {
      nodes: ["a", "s:x", "s:y"].map((id) => ({ id })),
      edges: [
        { source: "a", target: "s:x", conditional: true },
        { source: "a", target: "s:y" },
      ],
    };
    expect(viewOf(drawing, new Set(["s"])).edges).toEqual([
      { id: "a s ", source: "a", target: "s", conditional: false, label: "" },
    ]);
  });

  it("names start, end and tools", () => {
    const drawing: Drawing = {
      nodes: [{ id: "__start__" }, { id: "tools", metadata: { __tools: ["add", "look_up"] } }, { id: "__end__" }],
      edges: [],
    };
    const shown = [...viewOf(drawing, new Set()).nodes.values()];
    expect(shown.map(({ name, kind, tools }) => [name, kind, tools])).toEqual([
      ["start", "start", []],
      ["tools", "node", ["add", "look_up"]],
      ["end", "end", []],
    ]);
  });
});

it("lists subgraphs, outer ones first", () => {
  expect(groupsOf(NESTED)).toEqual(["sub", "sub:deep"]);
});

it("maps a run's namespace to a node id", () => {
  expect(nodeIdOf([], "plan")).toBe("plan");
  expect(nodeIdOf(["sub:1f-2e", "deep:9"], "leaf")).toBe("sub:deep:leaf");
  expect(nodeIdOf(["sub:1f-2e"])).toBe("sub");
});
