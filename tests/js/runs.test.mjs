// Creating, waiting for, looking up and deleting runs, and what each field of a request does.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, collect, dataOf, ended, held, newThread, refused } from "./support/client.mjs";

const runId = async (threadId, graph, payload) => (await client.runs.create(threadId, graph, payload)).run_id;

describe("create, get, list, join, delete", () => {
  test("a run from its creation to its deletion", async () => {
    const thread = await newThread();
    let created;
    const run = await client.runs.create(thread, "chain", {
      input: { n: [] },
      metadata: { kind: "test" },
      onRunCreated: (about) => (created = about),
    });
    assert.deepEqual(created, { thread_id: thread, run_id: run.run_id });
    assert.ok(["pending", "running"].includes(run.status));
    assert.equal(run.multitask_strategy, "enqueue");
    assert.deepEqual(await client.runs.join(thread, run.run_id), { n: [0, 1, 2] });
    const done = await client.runs.get(thread, run.run_id);
    assert.deepEqual([done.status, done.metadata.kind, done.metadata.graph_id], ["success", "test", "chain"]);
    assert.ok(Date.parse(done.updated_at) >= Date.parse(done.created_at));
    await client.runs.delete(thread, run.run_id);
    await refused(client.runs.get(thread, run.run_id), 404, /./);
  });

  test("runs are listed newest first, paged, by status", async () => {
    const thread = await newThread();
    const ids = [];
    for (const graph of ["chain", "boom", "chain"]) {
      ids.unshift(await runId(thread, graph, { input: { n: [] } }));
      await client.runs.join(thread, ids[0]);
    }
    const listed = async (options) => (await client.runs.list(thread, options)).map((run) => run.run_id);
    assert.deepEqual(await listed(), ids);
    assert.deepEqual(await listed({ limit: 1, offset: 1 }), [ids[1]]);
    assert.deepEqual(await listed({ status: "error" }), [ids[1]]);
    assert.deepEqual(await listed({ status: "success" }), [ids[0], ids[2]]);
  });

  test("select picks columns", async () => {
    const thread = await newThread();
    const id = await runId(thread, "chain", { input: { n: [] } });
    const status = await ended(thread, id);
    assert.deepEqual(await client.runs.list(thread, { select: ["run_id", "status"] }), [{ run_id: id, status }]);
  });

  test("a run without a thread makes one", async () => {
    const run = await client.runs.create(null, "chain", { input: { n: [] } });
    assert.deepEqual(await client.runs.join(run.thread_id, run.run_id), { n: [0, 1, 2] });
  });

  test("deleting a run that runs stops it", async () => {
    const { at, open } = await held();
    await client.runs.delete(...at);
    await refused(client.runs.get(...at), 404, /./);
    await open();
    assert.deepEqual(await client.runs.wait(at[0], "gated", { input: {} }), { log: ["start", "work", "finish"] });
  });
});

describe("wait", () => {
  test("gives the final state, on a thread and without", async () => {
    let created;
    const payload = { input: { n: ["x"] }, onRunCreated: (run) => (created = run) };
    assert.deepEqual(await client.runs.wait(await newThread(), "chain", payload), { n: ["x", 0, 1, 2] });
    assert.match(created.run_id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(await client.runs.wait(null, "chain", payload), { n: ["x", 0, 1, 2] });
  });

  test("raises what the node raised", async () => {
    await assert.rejects(client.runs.wait(null, "boom", { input: { n: [] } }), /ValueError: boom message/);
  });

  test("gives the error instead of raising it, if asked", async () => {
    const values = await client.runs.wait(await newThread(), "boom", { input: { n: [] }, raiseError: false });
    assert.deepEqual(values.__error__, { error: "ValueError", message: "boom message" });
  });

  test("join of a failed run tells the error too", async () => {
    const thread = await newThread();
    const id = await runId(thread, "boom", { input: { n: [] } });
    const { __error__: error } = await client.runs.join(thread, id);
    assert.deepEqual(error, { error: "ValueError", message: "boom message" });
  });
});

describe("batch", () => {
  test("runs of two assistants start in one call, in order", async () => {
    const other = await client.assistants.create({ graphId: "reporter", name: "Reporter" });
    const runs = await client.runs.createBatch([
      { assistantId: "chain", input: { n: [1] }, config: { tags: ["batch"] } },
      { assistantId: other.assistant_id, input: { task: "sales" }, metadata: { part: 2 } },
      { assistantId: "chain", input: { n: [3] } },
    ]);
    assert.equal(runs.length, 3);
    assert.deepEqual(runs.map((run) => run.assistant_id === other.assistant_id), [false, true, false]);
    assert.deepEqual([runs[0].kwargs.config.tags, runs[1].metadata.part], [["batch"], 2]);
    const results = await Promise.all(runs.map((run) => client.runs.join(run.thread_id, run.run_id)));
    assert.deepEqual(
      results.map((values) => values.n ?? values.answer),
      [[1, 0, 1, 2], "Done: sales", [3, 0, 1, 2]],
    );
  });

  test("one bad item refuses all", async () => {
    const batch = [{ assistantId: "chain", input: {} }, { assistantId: "nowhere", input: {} }];
    await refused(client.runs.createBatch(batch), 422, /nowhere/);
  });
});

describe("fields of a request", () => {
  const seen = async (payload, assistant = "ctx") => (await client.runs.wait(await newThread(), assistant, payload)).seen;

  test("context reaches the graph", async () => {
    const { context } = await seen({ input: {}, context: { model_name: "big" } });
    assert.deepEqual(context, { model_name: "big", temperature: 0.5 });
  });

  test("config: tags, limit, configurable and metadata", async () => {
    const config = { tags: ["a", "b"], recursion_limit: 7, configurable: { colour: "red" } };
    const found = await seen({ input: {}, config, metadata: { who: "me" } });
    assert.deepEqual(found.tags, ["a", "b"]);
    assert.deepEqual([found.recursion_limit, found.configurable.colour, found.metadata.who], [7, "red", "me"]);
  });

  test("an assistant's own settings give way to the request's", async () => {
    const { assistant_id: id } = await client.assistants.create({
      graphId: "ctx",
      context: { model_name: "mine", temperature: 0.1 },
      metadata: { from: "assistant", kept: true },
    });
    const found = await seen({ input: {}, context: { model_name: "yours" }, metadata: { from: "request" } }, id);
    assert.deepEqual(found.context, { model_name: "yours", temperature: 0.1 });
    assert.deepEqual([found.metadata.from, found.metadata.kept], ["request", true]);
  });

  test("ifNotExists makes the thread under the given id", async () => {
    const thread = crypto.randomUUID();
    await refused(client.runs.wait(thread, "chain", { input: { n: [] } }), 404, /not found/i);
    await client.runs.wait(thread, "chain", { input: { n: [] }, ifNotExists: "create" });
    assert.equal((await client.threads.get(thread)).status, "idle");
  });

  test("afterSeconds starts later, and holds up nobody", async () => {
    const thread = await newThread();
    const late = await runId(thread, "chain", { input: { n: ["late"] }, afterSeconds: 1 });
    assert.deepEqual(await client.runs.wait(thread, "chain", { input: { n: ["now"] } }), { n: ["now", 0, 1, 2] });
    assert.equal((await client.runs.get(thread, late)).status, "pending");
    assert.deepEqual((await client.runs.join(thread, late)).n.slice(4), ["late", 0, 1, 2]);
  });

  for (const [durability, count] of [["sync", 5], ["async", 5], ["exit", 1]]) {
    test(`durability ${durability} keeps ${count} checkpoints`, async () => {
      const thread = await newThread();
      await client.runs.wait(thread, "chain", { input: { n: [] }, durability });
      assert.equal((await client.threads.getHistory(thread)).length, count);
    });
  }

  test("checkpointDuring false is the older word for it", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "chain", { input: { n: [] }, checkpointDuring: false });
    assert.equal((await client.threads.getHistory(thread)).length, 1);
  });

  for (const [name, pick] of [
    ["checkpointId", (state) => ({ checkpointId: state.checkpoint.checkpoint_id })],
    ["checkpoint", (state) => ({ checkpoint: { checkpoint_id: state.checkpoint.checkpoint_id, checkpoint_ns: "" } })],
  ]) {
    test(`${name} forks from there`, async () => {
      const thread = await newThread();
      await client.runs.wait(thread, "chain", { input: { n: [] } });
      const past = (await client.threads.getHistory(thread)).find((state) => state.next[0] === "n2");
      const parts = await collect(client.runs.stream(thread, "chain", { input: null, streamMode: "updates", ...pick(past) }));
      assert.deepEqual(dataOf(parts, "updates"), [{ n2: { n: [2] } }]);
    });
  }

  test("input null goes on where the thread stopped", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "chain", { input: { n: [] }, interruptAfter: ["n0"] });
    assert.deepEqual((await client.threads.getState(thread)).next, ["n1"]);
    assert.deepEqual(await client.runs.wait(thread, "chain", { input: null }), { n: [0, 1, 2] });
  });
});
