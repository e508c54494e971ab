import { describe, expect, test } from "vitest";

import type { LoggedEvent } from "./event";
import { begun, callback, ended, logOf, piece, planned, taskBegins, taskEnds } from "./fixtures";
import { nodeFigures } from "./nodes";
import type { Span } from "./span";
import { foldTimeline, startTimeline, type Timeline } from "./timeline";

function timelineOf(log: readonly LoggedEvent[]): Timeline {
  const timeline = startTimeline();
  for (const event of log) foldTimeline(timeline, event);
  return timeline;
}

/** `name status from-to`, with times since the log began. */
function spanTexts(log: readonly LoggedEvent[]): string[] {
  const from = log[0]?.at ?? 0;
  const shown = (span: Span) =>
    `${span.path.join("/")} ${span.status} ${span.from - from}-${span.to === null ? "" : span.to - from}${span.guessed ? " ~" : ""}`;
  return [...timelineOf(log).spans.values()].map(shown);
}

describe("from tasks", () => {
  test("nodes and those of subgraphs with their exact times", () => {
    const inside = "|sub:s1";
    const log = logOf([
      begun(),
      taskBegins("plan", "t1"),
      taskEnds("plan", "t1"),
      taskBegins("sub", "s1"),
      taskBegins("leaf", "l1", inside),
      taskEnds("leaf", "l1", {}, inside),
      taskEnds("sub", "s1"),
      ended(),
    ]);
    expect(spanTexts(log)).toEqual(["plan done 10-60", "sub done 70-180", "sub/leaf done 80-130"]);
    expect([...timelineOf(log).spans.values()][2]?.parent).toBe("1:s1");
  });

  test("a failed node, an interrupted one, and one that never came to its end", () => {
    const failed = [
      begun(),
      taskBegins("a", "t1"),
      taskEnds("a", "t1", { error: { error: "E", message: "no" } }),
      ended("error"),
    ];
    expect(spanTexts(logOf(failed))).toEqual(["a failed 10-60"]);
    const asking = [
      begun(),
      taskBegins("a", "t1"),
      taskEnds("a", "t1", { interrupts: [{ id: "i", value: 1 }] }),
      ended(),
    ];
    expect(spanTexts(logOf(asking))).toEqual(["a interrupted 10-60"]);
    expect(spanTexts(logOf([begun(), taskBegins("a", "t1"), ended("timeout")]))).toEqual(["a failed 10-20"]);
    expect(spanTexts(logOf([begun(), taskBegins("a", "t1"), ended("interrupted")]))).toEqual(["a interrupted 10-20"]);
  });

  test("what a lost attempt was doing ends with the last that was heard of it", () => {
    const again: [string, unknown, number] = ["metadata", { attempt: 2 }, 60_000];
    const log = logOf([
      begun(),
      taskBegins("a", "t1"),
      ["custom", 1],
      again,
      taskBegins("a", "t1"),
      taskEnds("a", "t1"),
      ended(),
    ]);
    expect(spanTexts(log)).toEqual(["a lost 10-20", "a done 60030-60080"]);
    expect(timelineOf(log).attempts.map(({ attempt, to }) => [attempt, (to ?? 0) - 1_000_000])).toEqual([
      [1, 20],
      [2, 60_090],
    ]);
  });
});

test("checkpoints tell when a step began, and the next one when it ended", () => {
  const log = logOf([
    begun(),
    planned([["__start__", "s"]], -1),
    planned(
      [
        ["a", "t1"],
        ["b", "t2"],
      ],
      0,
    ),
    planned([["c", "t3"]], 1),
    planned([], 2),
    ended(),
  ]);
  expect(spanTexts(log)).toEqual(["a done 20-30 ~", "b done 20-30 ~", "c done 30-40 ~"]);
});

test("updates alone tell the ends; a step begins where the last one ended", () => {
  const log = logOf([begun(), ["updates", { a: { n: 1 } }, 100], ["updates", { b: null }, 50], ended()]);
  expect(spanTexts(log)).toEqual(["a done 0-100 ~", "b done 100-150 ~"]);
});

test("a message proves that its node runs, before the node has given anything", () => {
  const log = logOf([begun(), piece("m", "Hel", "talk:t1"), piece("m", "lo", "talk:t1", true)]);
  expect(spanTexts(log)).toEqual(["talk running 0- ~"]);
  expect(spanTexts([...log, ...logOf([["updates", { talk: {} }]], 1_000_030)])).toEqual(["talk done 0-30 ~"]);
});

describe("tools", () => {
  const call = { type: "ai", id: "m1", content: "", tool_calls: [{ id: "c1", name: "look", args: { q: 1 } }] };
  const answer = { type: "tool", id: "m2", tool_call_id: "c1", content: "found" };

  test("from messages: from the call to its answer", () => {
    const log = logOf([begun(), ["messages/partial", [call]], ["messages/complete", [answer], 300], ended()]);
    expect(spanTexts(log)).toEqual(["look done 10-310 ~"]);
  });

  test("from what nodes give", () => {
    const log = logOf([
      begun(),
      ["updates", { think: { messages: [call] } }],
      ["updates", { tools: { messages: [{ ...answer, status: "error" }] } }, 90],
      ended(),
    ]);
    expect(spanTexts(log)).toEqual(["think done 0-10 ~", "look failed 10-100 ~", "tools done 10-100 ~"]);
  });

  test("from callbacks exactly, in place of what messages let guess", () => {
    const log = logOf([
      begun(),
      callback("on_chain_start", "tools", "r1", "tools:t1", {}, ["graph:step:2"]),
      ["messages/partial", [call]],
      callback("on_tool_start", "look", "x1", "tools:t1", { input: { q: 1 } }),
      callback("on_tool_end", "look", "x1", "tools:t1", { output: answer }),
      callback("on_chain_end", "tools", "r1", "tools:t1", { output: {} }, ["graph:step:2"]),
      ended(),
    ]);
    expect(spanTexts(log)).toEqual(["tools done 10-50", "tools/look done 30-40"]);
  });
});

test("a node that its retry policy tried three times says when", () => {
  const start = () => callback("on_chain_start", "a", "r", "a:t1", {}, ["graph:step:1"]);
  const log = logOf([begun(), taskBegins("a", "t1"), start(), start(), start(), taskEnds("a", "t1"), ended()]);
  const [span] = [...timelineOf(log).spans.values()];
  expect(span?.tries.map((at) => at - 1_000_000)).toEqual([20, 30, 40]);
  expect(spanTexts(log)).toEqual(["a done 10-90"]);
});

test("figures of nodes: how often, how long, and how the last time went", () => {
  const log = logOf([
    begun(),
    taskBegins("a", "t1"),
    taskEnds("a", "t1"),
    taskBegins("a", "t2"),
    taskEnds("a", "t2", { error: { error: "E", message: "" } }),
    taskBegins("b", "t3"),
  ]);
  expect(nodeFigures(timelineOf(log).spans.values(), 1_000_200)).toEqual({
    a: { phase: "failed", count: 2, durationMs: 100 },
    b: { phase: "running", count: 1, durationMs: 70 },
  });
});
