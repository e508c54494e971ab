import { expect, test } from "vitest";

import { repeatRunBody } from "./repeatRun";

const configurable = { run_id: "r", thread_id: "t", langgraph_auth_user: null, __after_seconds__: 0, user_id: "" };

test("the request is repeated without the fields added by the server", () => {
  const kwargs = {
    input: { n: 1 },
    command: null,
    config: { recursion_limit: 7, tags: ["a"], configurable: { ...configurable, city: "Rome" }, metadata: { x: 1 } },
    context: {},
    stream_mode: ["values"],
    subgraphs: true,
    temporary: false,
    durability: "sync",
    interrupt_before: null,
  };
  expect(repeatRunBody({ assistant_id: "a", multitask_strategy: "enqueue", kwargs })).toEqual({
    assistant_id: "a",
    input: { n: 1 },
    stream_mode: ["values"],
    stream_subgraphs: true,
    durability: "sync",
    multitask_strategy: "enqueue",
    config: { recursion_limit: 7, tags: ["a"], configurable: { city: "Rome" } },
  });
});

test("a context is sent once although the server mirrors it into the config", () => {
  const kwargs = { config: { configurable: { ...configurable, city: "Rome" } }, context: { city: "Rome" } };
  expect(repeatRunBody({ assistant_id: "a", kwargs })).toEqual({ assistant_id: "a", context: { city: "Rome" } });
});

test("a run without kwargs is repeated with its assistant only", () => {
  expect(repeatRunBody({ assistant_id: "a" })).toEqual({ assistant_id: "a" });
});
