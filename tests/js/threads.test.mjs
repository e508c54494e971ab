// Threads: their life, their search, their state and its history.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, dataOf, leave, newer, newThread, refused, UNKNOWN } from "./support/client.mjs";

const mark = () => ({ mark: crypto.randomUUID() });

async function ran(graph = "chain", input = { n: [] }) {
  const thread = await newThread();
  await client.runs.wait(thread, graph, { input });
  return thread;
}

describe("life", () => {
  test("create, get, update, delete", async () => {
    const thread = await client.threads.create({ metadata: { a: 1 }, graphId: "chain" });
    assert.deepEqual([thread.status, thread.metadata], ["idle", { a: 1, graph_id: "chain" }]);
    assert.deepEqual(await client.threads.get(thread.thread_id), thread);
    const { metadata } = await client.threads.update(thread.thread_id, { metadata: { b: 2 } });
    assert.deepEqual(metadata, { a: 1, b: 2, graph_id: "chain" });
    await client.threads.delete(thread.thread_id);
    await refused(client.threads.get(thread.thread_id), 404, /not found/);
  });

  test("an id of one's own, twice", async () => {
    const threadId = crypto.randomUUID();
    assert.equal((await client.threads.create({ threadId })).thread_id, threadId);
    await refused(client.threads.create({ threadId }), 409, /already exists/);
    const again = await client.threads.create({ threadId, ifExists: "do_nothing", metadata: { new: true } });
    assert.deepEqual(again.metadata, {});
  });

  if (newer) test("returnMinimal answers with nothing", async () => {
    const thread = await newThread();
    assert.equal(await client.threads.update(thread, { metadata: { a: 1 }, returnMinimal: true }), undefined);
    assert.deepEqual((await client.threads.get(thread)).metadata, { a: 1 });
  });

  test("copy takes the state and its history along", async () => {
    const thread = await ran();
    const copy = (await client.threads.copy(thread)).thread_id;
    assert.notEqual(copy, thread);
    assert.deepEqual((await client.threads.getState(copy)).values, { n: [0, 1, 2] });
    assert.equal((await client.threads.getHistory(copy)).length, 5);
    assert.deepEqual(await client.runs.list(copy), []);
    await client.runs.wait(copy, "chain", { input: { n: [] } });
    assert.deepEqual((await client.threads.getState(thread)).values, { n: [0, 1, 2] });
  });

  if (newer) test("prune deletes many", async () => {
    const ids = [await newThread(), await newThread()];
    assert.deepEqual(await client.threads.prune(ids), { pruned_count: 2 });
    await refused(client.threads.get(ids[0]), 404, /not found/);
  });
});

describe("search and count", () => {
  test("by metadata, paged, sorted", async () => {
    const metadata = mark();
    const ids = [];
    for (let i = 0; i < 3; i += 1) ids.push((await client.threads.create({ metadata })).thread_id);
    const found = async (query) => (await client.threads.search({ metadata, ...query })).map((thread) => thread.thread_id);
    assert.deepEqual(await found({ sortBy: "created_at", sortOrder: "asc" }), ids);
    assert.deepEqual(await found({ sortBy: "created_at", sortOrder: "desc", limit: 1, offset: 1 }), [ids[1]]);
    assert.deepEqual(await found({ ids: ids.slice(0, 1) }), ids.slice(0, 1));
    assert.equal(await client.threads.count({ metadata }), 3);
  });

  test("by status and by values", async () => {
    const metadata = mark();
    const [asking, done] = [
      (await client.threads.create({ metadata })).thread_id,
      (await client.threads.create({ metadata })).thread_id,
    ];
    await client.runs.wait(asking, "hil", { input: { log: [] } });
    await client.runs.wait(done, "chain", { input: { n: ["here"] } });
    const found = async (query) => (await client.threads.search({ metadata, ...query })).map((thread) => thread.thread_id);
    assert.deepEqual(await found({ status: "interrupted" }), [asking]);
    assert.deepEqual(await found({ values: { n: ["here", 0, 1, 2] } }), [done]);
    assert.equal(await client.threads.count({ metadata, status: "idle" }), 1);
  });

  test("select and extract", async () => {
    const metadata = mark();
    const { thread_id: thread } = await client.threads.create({ metadata });
    await client.runs.wait(thread, "chain", { input: { n: [] } });
    assert.deepEqual(await client.threads.search({ metadata, select: ["thread_id", "status"] }), [
      { thread_id: thread, status: "idle" },
    ]);
    if (!newer) return;
    const [found] = await client.threads.search({ metadata, extract: { last: "values.n[-1]" } });
    assert.deepEqual(found.extracted, { last: 2 });
  });
});

describe("state", () => {
  test("of a fresh thread is empty", async () => {
    const state = await client.threads.getState(await newThread());
    assert.deepEqual([state.next, state.tasks], [[], []]);
  });

  test("now, at a checkpoint, and by a checkpoint object", async () => {
    const thread = await ran();
    const history = await client.threads.getHistory(thread);
    assert.deepEqual(await client.threads.getState(thread), history[0]);
    const past = history[2];
    assert.deepEqual((await client.threads.getState(thread, past.checkpoint.checkpoint_id)).values, past.values);
    assert.deepEqual((await client.threads.getState(thread, past.checkpoint)).values, past.values);
  });

  test("with that of sub-graphs", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "nested", { input: { n: [] }, interruptBefore: ["sub"] });
    const { tasks } = await client.threads.getState(thread, undefined, { subgraphs: true });
    assert.deepEqual(tasks.map((task) => task.name), ["sub"]);
  });

  if (newer) test("select picks parts of it", async () => {
    const thread = await ran();
    assert.deepEqual(await client.threads.getState(thread, undefined, { select: ["next"] }), { next: [] });
  });

  test("updateState writes as a node, and the graph goes on from there", async () => {
    const thread = await ran();
    const updated = await client.threads.updateState(thread, { values: { n: ["by hand"] }, asNode: "n1" });
    const state = await client.threads.getState(thread);
    assert.equal(state.checkpoint.checkpoint_id, updated.checkpoint.checkpoint_id);
    assert.deepEqual([state.values.n.at(-1), state.next], ["by hand", ["n2"]]);
    assert.deepEqual((await client.runs.wait(thread, "chain", { input: null })).n.slice(3), ["by hand", 2]);
  });

  test("updateState at a checkpoint forks", async () => {
    const thread = await ran();
    const past = (await client.threads.getHistory(thread)).find((state) => state.next[0] === "n1");
    await client.threads.updateState(thread, { values: { n: ["fork"] }, checkpointId: past.checkpoint.checkpoint_id, asNode: "n0" });
    const state = await client.threads.getState(thread);
    assert.deepEqual([state.values.n, state.next], [[0, "fork"], ["n1"]]);
  });

  test("updateState as an unknown node is refused", async () => {
    await refused(client.threads.updateState(await ran(), { values: { n: [] }, asNode: "nobody" }), 400, /nobody/);
  });
});

describe("history", () => {
  test("newest first, limited, before a checkpoint, by metadata", async () => {
    const thread = await ran();
    const all = await client.threads.getHistory(thread);
    assert.deepEqual(all.map((state) => state.metadata.step), [3, 2, 1, 0, -1]);
    assert.deepEqual(await client.threads.getHistory(thread, { limit: 2 }), all.slice(0, 2));
    const before = { configurable: { checkpoint_id: all[1].checkpoint.checkpoint_id } };
    assert.deepEqual(await client.threads.getHistory(thread, { before }), all.slice(2));
    assert.deepEqual(await client.threads.getHistory(thread, { metadata: { step: 1 } }), [all[2]]);
    assert.deepEqual(all[0].parent_checkpoint.checkpoint_id, all[1].checkpoint.checkpoint_id);
  });
});

test("supersteps build a thread's history", async () => {
  const supersteps = [
    { updates: [{ values: { n: ["a"] }, asNode: "__input__" }] },
    { updates: [{ values: { n: ["a"] }, asNode: "__start__" }] },
    { updates: [{ values: { n: ["b"] }, asNode: "n0" }] },
  ];
  const { thread_id: thread } = await client.threads.create({ graphId: "chain", supersteps });
  const state = await client.threads.getState(thread);
  assert.deepEqual([state.values, state.next], [{ n: ["a", "b"] }, ["n1"]]);
  assert.deepEqual((await client.runs.wait(thread, "chain", { input: null })).n, ["a", "b", 1, 2]);
});

test("a thread may be given a time to live", async () => {
  const { thread_id: thread } = await client.threads.create({ ttl: 60 });
  await client.threads.update(thread, { ttl: { ttl: 120, strategy: "delete" } });
  assert.equal((await client.threads.get(thread)).thread_id, thread);
});

describe("the stream of a thread", () => {
  test("goes through its runs, and on after the last event", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "chain", { input: { n: ["first"] } });
    const reading = (lastEventId) => (signal) => client.threads.joinStream(thread, { lastEventId, signal });
    const isDone = (part) => part.event === "metadata" && part.data.status === "run_done";
    const first = await leave(reading("0"), isDone);
    assert.deepEqual(dataOf(first, "values").at(-1), { n: ["first", 0, 1, 2] });
    await client.runs.wait(thread, "chain", { input: { n: ["second"] } });
    const second = await leave(reading(first.at(-1).id), isDone);
    assert.deepEqual(dataOf(second, "values").at(-1).n.slice(4), ["second", 0, 1, 2]);
    assert.notEqual(second.at(-1).data.run_id, first.at(-1).data.run_id);
  });

  test("tells of states that were written by hand only, if asked", async () => {
    const thread = await newThread();
    await client.runs.wait(thread, "chain", { input: { n: [] } });
    const updated = await client.threads.updateState(thread, { values: { n: ["by hand"] }, asNode: "n1" });
    const options = { lastEventId: "0", streamMode: ["state_update"] };
    const parts = await leave((signal) => client.threads.joinStream(thread, { ...options, signal }), () => true);
    assert.ok(JSON.stringify(parts[0].data).includes(updated.checkpoint.checkpoint_id), JSON.stringify(parts[0]));
  });
});

test("what is unknown is not found", async () => {
  await refused(client.threads.get(UNKNOWN), 404, /not found/);
  await refused(client.threads.update(UNKNOWN, { metadata: {} }), 404, /./);
  await refused(client.threads.delete(UNKNOWN), 404, /./);
  await refused(client.threads.getState(UNKNOWN), 404, /./);
  await refused(client.threads.copy(UNKNOWN), 404, /./);
});
