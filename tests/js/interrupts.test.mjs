// Graphs that stop to ask, and the commands that answer, change the state or go elsewhere.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, collect, dataOf, names, newer, newThread } from "./support/client.mjs";

const stream = (thread, graph, payload) => collect(client.runs.stream(thread, graph, payload));

describe("a graph that asks", () => {
  test("stops, tells what it asks, and goes on with the answer", async () => {
    const thread = await newThread();
    const parts = await stream(thread, "hil", { input: { log: [] }, streamMode: ["values", "updates"] });
    assert.deepEqual(dataOf(parts, "values").at(-1).__interrupt__[0].value, { question: "ok?" });
    assert.deepEqual(dataOf(parts, "updates").at(-1).__interrupt__[0].value, { question: "ok?" });
    assert.equal((await client.runs.get(thread, parts[0].data.run_id)).status, "success");
    const { status, interrupts } = await client.threads.get(thread);
    assert.equal(status, "interrupted");
    assert.deepEqual(Object.values(interrupts).flat()[0].value, { question: "ok?" });
    const state = await client.threads.getState(thread);
    assert.deepEqual([state.next, state.tasks[0].interrupts[0].value], [["ask"], { question: "ok?" }]);
    const resumed = await stream(thread, "hil", { command: { resume: "yes" }, streamMode: "updates" });
    assert.deepEqual(dataOf(resumed, "updates"), [{ ask: { answer: "yes", log: ["ask"] } }, { after: { log: ["after"] } }]);
    assert.equal((await client.threads.get(thread)).status, "idle");
  });

  test("two at once are answered by their ids", async () => {
    const thread = await newThread();
    const asked = (await client.runs.wait(thread, "hil2", { input: { log: [] } })).__interrupt__;
    assert.deepEqual(asked.map((item) => item.value).sort(), ["qa", "qb"]);
    const answers = Object.fromEntries(asked.map((item) => [item.id, `re ${item.value}`]));
    const values = await client.runs.wait(thread, "hil2", { command: { resume: answers } });
    assert.deepEqual(values.log.sort(), [["a", "re qa"], ["b", "re qb"]]);
  });

  test("falsy answers are answers", async () => {
    for (const resume of [false, 0, ""]) {
      const thread = await newThread();
      await client.runs.wait(thread, "hil", { input: { log: [] } });
      assert.equal((await client.runs.wait(thread, "hil", { command: { resume } })).answer, resume);
    }
  });

  if (newer) test("strictResume fails an answer to nothing", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "hil", { input: { log: [] } });
    const wrong = { command: { resume: { ["0".repeat(32)]: 1 } }, strictResume: true };
    await assert.rejects(client.runs.wait(thread, "hil", wrong), /UnknownInterruptError/);
    assert.deepEqual((await client.threads.getState(thread)).next, ["ask"]);
  });
});

describe("interruptBefore and interruptAfter", () => {
  test("before a node", async () => {
    const thread = await newThread();
    const parts = await stream(thread, "chain", { input: { n: [] }, interruptBefore: ["n1"], streamMode: ["values", "updates"] });
    assert.deepEqual(dataOf(parts, "updates"), [{ n0: { n: [0] } }, { __interrupt__: [] }]);
    assert.deepEqual((await client.threads.getState(thread)).next, ["n1"]);
    assert.deepEqual(await client.runs.wait(thread, "chain", { input: null }), { n: [0, 1, 2] });
  });

  test("after every node", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "chain", { input: { n: [] }, interruptAfter: "*" });
    for (const next of [["n1"], ["n2"], []]) {
      assert.deepEqual((await client.threads.getState(thread)).next, next);
      if (next.length) await client.runs.wait(thread, "chain", { input: null, interruptAfter: "*" });
    }
  });
});

describe("command", () => {
  test("update writes into the state before going on", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "hil", { input: { log: [] } });
    const values = await client.runs.wait(thread, "hil", { command: { resume: 1, update: { log: ["by hand"] } } });
    assert.deepEqual(values.log, ["before", "by hand", "ask", "after"]);
  });

  test("update as pairs", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "hil", { input: { log: [] } });
    const values = await client.runs.wait(thread, "hil", { command: { resume: 1, update: [["log", ["a"]], ["log", ["b"]]] } });
    assert.deepEqual(values.log, ["before", "a", "b", "ask", "after"]);
  });

  for (const [kind, goto] of [
    ["a name", "y"],
    ["names", ["y"]],
    ["a node and its input", { node: "y", input: { n: ["sent"] } }],
    ["both mixed", ["x", { node: "y", input: {} }]],
  ]) {
    test(`goto ${kind}`, async () => {
      const thread = await newThread();
      await client.runs.wait(thread, "goto", { input: { n: [] } });
      const { n } = await client.runs.wait(thread, "goto", { command: { goto } });
      assert.deepEqual(n, kind === "both mixed" ? ["x", "x", "y"] : ["x", "y"]);
    });
  }

  test("an unknown key is refused by name", async () => {
    const wrong = client.runs.wait(await newThread(), "goto", { command: { jump: "y" } });
    await assert.rejects(wrong, (error) => error.status === 422 && /jump/.test(error.text));
  });

  test("resume where nothing waits leaves the thread as it is", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "chain", { input: { n: [] } });
    const parts = await stream(thread, "chain", { command: { resume: "x" }, streamMode: "updates" });
    assert.ok(!names(parts).includes("updates"));
    assert.deepEqual((await client.threads.getState(thread)).values, { n: [0, 1, 2] });
  });
});
