// What each stream mode yields, alone, together, with sub-graphs, and when a node fails.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, collect, dataOf, names, newThread, seqOf, until, url } from "./support/client.mjs";

const stream = async (graph, payload, threadId) =>
  collect(client.runs.stream(threadId === undefined ? await newThread() : threadId, graph, payload));

describe("one mode", () => {
  test("values is the state after each step", async () => {
    const parts = await stream("chain", { input: { n: ["in"] }, streamMode: "values" });
    assert.deepEqual(names(parts), ["metadata", "values", "values", "values", "values"]);
    assert.deepEqual(dataOf(parts, "values").at(-1), { n: ["in", 0, 1, 2] });
  });

  test("values is what comes when no mode is asked for", async () => {
    assert.equal(dataOf(await stream("chain", { input: { n: [] } }), "values").length, 4);
  });

  test("metadata comes first, with the run and its attempt", async () => {
    let created;
    const parts = await stream("chain", { input: { n: [] }, onRunCreated: (run) => (created = run) });
    assert.deepEqual(parts[0].data, { run_id: created.run_id, attempt: 1 });
  });

  test("updates is what each node wrote", async () => {
    const parts = await stream("chain", { input: { n: [] }, streamMode: ["updates"] });
    assert.deepEqual(dataOf(parts, "updates"), [{ n0: { n: [0] } }, { n1: { n: [1] } }, { n2: { n: [2] } }]);
  });

  test("messages accumulate, and their metadata comes once", async () => {
    const parts = await stream("chat", { input: { messages: [{ type: "human", content: "hi" }] }, streamMode: "messages" });
    const partial = dataOf(parts, "messages/partial").map(([message]) => message);
    assert.deepEqual(new Set(partial.map((message) => message.type)), new Set(["ai"]));
    assert.equal(partial.at(-1).content, "alpha beta gamma");
    partial.reduce((before, next) => (assert.ok(next.content.startsWith(before.content)), next));
    const [about] = dataOf(parts, "messages/metadata").filter((data) => data[partial[0].id]);
    assert.equal(about[partial[0].id].metadata.langgraph_node, "call_model");
  });

  test("messages-tuple yields the pieces as they come", async () => {
    const input = { messages: [{ type: "human", content: "hi" }] };
    const parts = await stream("chat", { input, streamMode: "messages-tuple" });
    const pieces = dataOf(parts, "messages").filter(([, metadata]) => metadata.langgraph_node === "call_model");
    assert.equal(pieces.map(([message]) => message.content).join(""), "alpha beta gamma");
    assert.ok(pieces.length >= 5);
    assert.equal(pieces[0][0].type, "AIMessageChunk");
  });

  test("events are those of the graph and of its nodes", async () => {
    const events = dataOf(await stream("chain", { input: { n: [] }, streamMode: "events" }), "events");
    assert.deepEqual([events[0].event, events.at(-1).event], ["on_chain_start", "on_chain_end"]);
    assert.deepEqual(events.at(-1).data.output, { n: [0, 1, 2] });
    for (const node of ["n0", "n1", "n2"]) assert.ok(events.some((event) => event.name === node));
  });

  test("debug tells of checkpoints, tasks and their results", async () => {
    const debug = dataOf(await stream("chain", { input: { n: [] }, streamMode: "debug" }), "debug");
    const types = debug.map((item) => item.type);
    assert.equal(types.filter((type) => type === "task").length, 3);
    assert.equal(types.filter((type) => type === "task_result").length, 3);
    assert.ok(debug.every((item) => Number.isInteger(item.step) && !Number.isNaN(Date.parse(item.timestamp))));
    assert.ok(debug.filter((item) => item.type === "checkpoint").every((item) => item.payload.checkpoint.checkpoint_id));
  });

  test("custom is what nodes write", async () => {
    const custom = dataOf(await stream("custom", { input: { tokens: 20 }, streamMode: "custom" }), "custom");
    assert.deepEqual(custom, Array.from({ length: 20 }, (_, i) => ({ token: "tok", i })));
  });

  test("tasks start and end", async () => {
    const tasks = dataOf(await stream("chain", { input: { n: [] }, streamMode: "tasks" }), "tasks");
    assert.deepEqual(tasks.map((task) => task.name), ["n0", "n0", "n1", "n1", "n2", "n2"]);
    assert.deepEqual(tasks[1].id, tasks[0].id);
    assert.deepEqual([tasks[0].triggers, tasks[1].error], [["branch:to:n0"], null]);
  });

  test("checkpoints carry the state and what is next", async () => {
    const kept = dataOf(await stream("chain", { input: { n: [] }, streamMode: "checkpoints" }), "checkpoints");
    assert.deepEqual(kept.map((item) => item.next), [["__start__"], ["n0"], ["n1"], ["n2"], []].slice(-kept.length));
    assert.deepEqual(kept.at(-1).values, { n: [0, 1, 2] });
  });
});

test("all modes at once", async () => {
  const streamMode = ["values", "updates", "messages", "events", "debug", "custom", "tasks", "checkpoints"];
  const parts = await stream("agent", { input: { message: "hi", data: [1, 2] }, streamMode });
  const seen = new Set(names(parts).map((name) => name.split("/")[0]));
  assert.deepEqual([...seen].sort(), ["metadata", ...streamMode].sort());
  assert.equal(dataOf(parts, "values").at(-1).total, 3);
});

test("messages beside messages-tuple come in the second form only", async () => {
  const parts = await stream("chat", { input: { messages: [] }, streamMode: ["messages", "messages-tuple"] });
  assert.ok(names(parts).every((name) => !name.startsWith("messages/")));
  assert.ok(dataOf(parts, "messages").length > 0);
});

test("every event has an id, dense and rising", async () => {
  const parts = await stream("custom", { input: { tokens: 50 }, streamMode: ["custom", "values", "debug"] });
  assert.deepEqual(parts.map(seqOf), parts.map((_, index) => index + 1));
});

describe("sub-graphs", () => {
  test("name their events by their path", async () => {
    const parts = await stream("nested", { input: { n: [] }, streamMode: ["updates", "values"], streamSubgraphs: true });
    const paths = new Set(names(parts).map((name) => name.replace(/:[0-9a-f-]{36}/g, "")));
    assert.deepEqual(
      [...paths].sort(),
      ["metadata", "updates", "updates|sub", "updates|sub|deep", "values", "values|sub", "values|sub|deep"],
    );
  });

  test("stay silent unless asked for", async () => {
    const parts = await stream("nested", { input: { n: [] }, streamMode: "updates" });
    assert.deepEqual(dataOf(parts, "updates").map(Object.keys), [["top"], ["sub"]]);
    assert.ok(names(parts).every((name) => !name.includes("|")));
  });

  test("stream the tokens of their models", async () => {
    const payload = { input: { messages: [] }, streamMode: "messages-tuple", streamSubgraphs: true };
    const pieces = (await stream("chat_sub", payload)).filter((part) => /^messages\|agent:/.test(part.event));
    assert.equal(pieces.map((part) => part.data[0].content).join(""), "alpha beta gamma");
  });
});

describe("failures", () => {
  for (const streamMode of ["values", "updates", "messages", "events", "debug", "custom", "tasks", "checkpoints"]) {
    test(`a node that raises ends ${streamMode} with an error event`, async () => {
      const parts = await stream("boom", { input: { n: [] }, streamMode });
      assert.deepEqual(parts.at(-1).event, "error");
      assert.deepEqual(parts.at(-1).data, { error: "ValueError", message: "boom message" });
    });
  }

  test("a run that goes round too often says so", async () => {
    const parts = await stream("loop", { input: { n: [] }, config: { recursion_limit: 5 } });
    assert.equal(parts.at(-1).data.error, "GraphRecursionError");
  });
});

describe("without a thread", () => {
  test("a run streams on a thread of its own", async () => {
    let created;
    const parts = await stream("chain", { input: { n: [] }, onRunCreated: (run) => (created = run) }, null);
    assert.deepEqual(dataOf(parts, "values").at(-1), { n: [0, 1, 2] });
    assert.equal(created.thread_id, undefined);
    assert.equal(created.run_id, parts[0].data.run_id);
  });

  test("onCompletion keep keeps the thread", async () => {
    const input = { n: [crypto.randomUUID()] };
    await stream("chain", { input, onCompletion: "keep" }, null);
    const values = { n: [...input.n, 0, 1, 2] };
    const [thread] = await client.threads.search({ values });
    assert.deepEqual((await client.threads.getState(thread.thread_id)).values, values);
  });

  test("otherwise it is gone with the run", async () => {
    const input = { n: [crypto.randomUUID()] };
    await stream("chain", { input }, null);
    await until(async () => (await client.threads.search({ values: { n: [...input.n, 0, 1, 2] } })).length === 0);
  });
});

test("the headers keep proxies from buffering and tell browsers where to go on", async () => {
  const response = await fetch(`${url}/runs/stream`, {
    method: "POST",
    headers: { origin: "http://app.example" },
    body: JSON.stringify({ assistant_id: "chain", input: { n: [] } }),
  });
  await response.text();
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(response.headers.get("x-accel-buffering"), "no");
  assert.match(response.headers.get("location"), /^\/runs\/[0-9a-f-]{36}\/stream$/);
  assert.match(response.headers.get("access-control-expose-headers"), /\blocation\b/);
});
