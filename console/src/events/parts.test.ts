import { describe, expect, test } from "vitest";

import { Clock, fittingSpeed } from "./clock";
import { Matches } from "./filter";
import { anyLog, logOf } from "./fixtures";
import { spansOfHistory } from "./history";
import { bars, lanes, ticks, waterfall } from "./rows";
import type { Span } from "./span";
import { errorOf } from "./span";

function span(id: string, from: number, to: number | null, more: Partial<Span> = {}): Span {
  const name = more.name ?? id;
  return {
    ...{ id, kind: "node", name, path: [name], parent: null, attempt: 1, step: null, from, to, status: "done" },
    ...{ guessed: false, tries: [], input: undefined, output: undefined, error: null, interrupts: [] },
    ...more,
  };
}

describe("lines of the timeline", () => {
  test("what ran inside of a span comes after it, set in", () => {
    const spans = [span("late", 50, 60), span("inner", 10, 20, { parent: "outer" }), span("outer", 0, 40)];
    expect(waterfall(spans).map(({ key, depth }) => [key, depth])).toEqual([
      ["outer", 0],
      ["inner", 1],
      ["late", 0],
    ]);
  });

  test("or all runs of a node on one", () => {
    const loop = [
      span("1", 0, 1, { name: "think" }),
      span("2", 1, 2, { name: "tools" }),
      span("3", 2, 3, { name: "think" }),
    ];
    expect(lanes(loop).map(({ label, spans }) => [label, spans.length])).toEqual([
      ["think", 2],
      ["tools", 1],
    ]);
  });

  test("thousands of bars on a line are as many as there is room for, and none that failed is hidden", () => {
    const many = Array.from({ length: 10_000 }, (_, index) =>
      span(String(index), index, index + 1, index === 5001 ? { status: "failed" } : {}),
    );
    const drawn = bars(many, 0, 10_000, 10_000, 1 / 200);
    expect(drawn.length).toBeLessThanOrEqual(200);
    expect(drawn.some((bar) => bar.span.status === "failed")).toBe(true);
    expect(drawn.every((bar) => bar.left >= 0 && bar.left + bar.width <= 1.0001)).toBe(true);
  });

  test("marks are round and about as many as asked for", () => {
    expect(ticks(950, 5)).toEqual([0, 200, 400, 600, 800]);
    expect(ticks(90_000, 4)).toEqual([0, 30_000, 60_000, 90_000]);
    expect(ticks(0, 4)).toEqual([0]);
  });
});

describe("time", () => {
  test("places and instants go both ways, over clocks that go back", () => {
    const log = logOf([
      ["a", 1],
      ["b", 1, 100],
      ["c", 1, -50],
      ["d", 1, 200],
    ]);
    const clock = new Clock(log);
    expect([clock.from - 1_000_000, clock.to - 1_000_000]).toEqual([0, 250]);
    expect([0, 99, 100, 249, 250].map((at) => clock.countAt(1_000_000 + at))).toEqual([1, 1, 3, 3, 4]);
    expect(clock.timeAt(3) - 1_000_000).toBe(100);
  });

  test("a replay takes no longer than one likes to look at it", () => {
    expect([900, 19_000, 90_000, 3_600_000].map(fittingSpeed)).toEqual([1, 1, 5, 200]);
  });
});

describe("filter", () => {
  const log = anyLog(3, 300);

  test("by mode, subgraph and text, as of any place", () => {
    const all = new Matches({ modes: [], namespace: null, text: "" }, log);
    expect(all.among(log.length)).toHaveLength(log.length);
    const root = new Matches({ modes: ["values"], namespace: "", text: "" }, log);
    const expected = log.flatMap((event, place) => (event.event === "values" ? [place] : []));
    expect(root.among(log.length)).toEqual(expected);
    expect(root.among(100)).toEqual(expected.filter((place) => place < 100));
    const text = new Matches({ modes: [], namespace: null, text: "PROGRESS" }, log);
    expect(text.among(log.length).every((place) => log[place]?.mode === "custom")).toBe(true);
  });
});

describe("history", () => {
  const at = (ms: number) => new Date(1_000_000 + ms).toISOString();
  const checkpoint = (id: string, parent: string | null, ms: number, tasks: object[], run = "r") => ({
    created_at: at(ms),
    metadata: { run_id: run, step: ms / 100 },
    checkpoint: { checkpoint_id: id },
    parent_checkpoint: parent === null ? null : { checkpoint_id: parent },
    tasks,
  });

  test("steps from checkpoint to checkpoint, of this run only", () => {
    const history = [
      checkpoint("c3", "c2", 300, [{ id: "t3", name: "c", error: "ValueError('no such city')", result: null }]),
      checkpoint("c2", "c1", 200, [{ id: "t2", name: "b", result: {} }]),
      checkpoint("c1", "c0", 100, [{ id: "t1", name: "a", result: {} }]),
      checkpoint("c0", null, 0, [{ id: "t0", name: "old", result: {} }], "another"),
    ];
    const spans = spansOfHistory(history, { runId: "r", to: 1_000_350, status: "error" });
    expect(spans.map(({ name, status, from, to }) => [name, status, from - 1_000_000, (to ?? 0) - 1_000_000])).toEqual([
      ["a", "done", 100, 200],
      ["b", "done", 200, 300],
      ["c", "failed", 300, 350],
    ]);
    expect(spans[2]?.error).toEqual({ error: "ValueError", message: "no such city" });
  });

  test("the step that runs has no end", () => {
    const history = [checkpoint("c1", null, 100, [{ id: "t1", name: "a", result: null }])];
    expect(spansOfHistory(history, { runId: "r", to: null, status: "running" })).toMatchObject([
      { status: "running", to: null },
    ]);
  });
});

test("errors of all kinds of events", () => {
  expect(errorOf({ error: "E", message: "m" })).toEqual({ error: "E", message: "m" });
  expect(errorOf("KeyError('x')")).toEqual({ error: "KeyError", message: "x" });
  expect(errorOf("something broke")).toEqual({ error: "Error", message: "something broke" });
  expect(errorOf(null)).toBeNull();
});
