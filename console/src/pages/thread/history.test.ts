import { describe, expect, test } from "vitest";

import { checkpointsOf, labelOf, treeOf } from "./history";
import type { ThreadState } from "./types";

function state(id: string, parent: string | null, more: Partial<ThreadState> = {}): ThreadState {
  const at = { thread_id: "t", checkpoint_ns: "" };
  return {
    values: {},
    next: [],
    tasks: [],
    metadata: { step: 0, source: "loop", run_id: "r" },
    created_at: null,
    checkpoint: { ...at, checkpoint_id: id },
    parent_checkpoint: parent === null ? null : { ...at, checkpoint_id: parent },
    ...more,
  };
}

const tree = (...edges: [string, string | null][]) =>
  treeOf(checkpointsOf(edges.map(([id, parent]) => state(id, parent))));
const lanes = (made: ReturnType<typeof tree>) => made.rows.map((row) => [row.checkpoint.id, row.lane]);

describe("checkpoints", () => {
  test("are named after the next nodes of their parent", () => {
    const [second, first] = checkpointsOf([
      state("b", "a", { next: ["write"] }),
      state("a", null, { next: ["left", "right"], metadata: { step: -1, source: "input" } }),
    ]);
    expect(second && labelOf(second)).toBe("left, right");
    expect(first && labelOf(first)).toBe("input");
  });

  test("on two pages are listed once", () => {
    expect(checkpointsOf([state("b", "a"), state("a", null), state("a", null)]).map((each) => each.id)).toEqual([
      "b",
      "a",
    ]);
  });

  test("show errors and interrupts", () => {
    const task = { id: "1", name: "n", interrupts: [] };
    const [failed, asks] = checkpointsOf([
      state("b", "a", { tasks: [{ ...task, error: "ValueError('x')" }] }),
      state("a", null, { tasks: [{ ...task, interrupts: [{ id: "i", value: 1 }] }] }),
    ]);
    expect([failed?.failed, failed?.interrupted, asks?.failed, asks?.interrupted]).toEqual([true, false, false, true]);
  });
});

describe("the history tree", () => {
  test("of a history without forks is one lane", () => {
    const made = tree(["c", "b"], ["b", "a"], ["a", null]);
    expect(made).toMatchObject({ lanes: 1, branches: 1 });
    expect(made.rows[0]).toMatchObject({ tip: true, lines: [{ from: 0, to: 0, part: "bottom" }] });
    expect(made.rows[2]).toMatchObject({ tip: false, lines: [{ from: 0, to: 0, part: "top" }] });
  });

  test("gives a fork its own lane, ending at its parent", () => {
    const made = tree(["d", "a"], ["c", "b"], ["b", "a"], ["a", null]);
    expect(lanes(made)).toEqual([
      ["d", 0],
      ["c", 1],
      ["b", 1],
      ["a", 0],
    ]);
    expect(made).toMatchObject({ lanes: 2, branches: 2 });
    expect(made.rows[3]?.lines).toEqual([
      { from: 0, to: 0, part: "top" },
      { from: 1, to: 0, part: "top" },
    ]);
  });

  test("reuses the lane of a finished branch", () => {
    const made = tree(["e", "d"], ["x", "d"], ["d", "c"], ["y", "c"], ["c", null]);
    expect(lanes(made)).toEqual([
      ["e", 0],
      ["x", 1],
      ["d", 0],
      ["y", 1],
      ["c", 0],
    ]);
    expect(made.lanes).toBe(2);
  });

  test("leaves the line open where older checkpoints are not loaded yet", () => {
    const made = tree(["c", "b"]);
    expect(made.rows[0]?.lines).toEqual([{ from: 0, to: 0, part: "bottom" }]);
  });

  test("of an empty history is empty", () => {
    expect(treeOf([])).toEqual({ rows: [], lanes: 0, branches: 0 });
  });

  test("connects the lines of every row to the next", () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
    for (let round = 0; round < 60; round++) {
      const size = 1 + random(30);
      const edges = Array.from({ length: size }, (_, n): [string, string | null] => [
        `${n}`,
        n === 0 ? null : `${random(n)}`,
      ]);
      const made = tree(...edges.reverse());
      made.rows.forEach((row, at) => {
        const below = row.lines
          .filter((line) => line.part !== "top")
          .map((line) => line.to)
          .sort();
        const above = (made.rows[at + 1]?.lines ?? [])
          .filter((line) => line.part !== "bottom")
          .map((line) => line.from)
          .sort();
        expect(above).toEqual(below);
        expect(new Set(below).size).toBe(below.length);
      });
    }
  });
});
