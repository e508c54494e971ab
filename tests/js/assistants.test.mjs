// Assistants: their life and versions, their search, and what they tell about their graph.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, refused, UNKNOWN } from "./support/client.mjs";

const mark = () => ({ mark: crypto.randomUUID() });

describe("life", () => {
  test("create, get, update, delete", async () => {
    const created = await client.assistants.create({
      graphId: "ctx",
      name: "One",
      description: "the first",
      metadata: { a: 1 },
      config: { tags: ["t"], recursion_limit: 9 },
    });
    assert.deepEqual([created.version, created.name, created.description], [1, "One", "the first"]);
    assert.deepEqual(await client.assistants.get(created.assistant_id), created);
    const updated = await client.assistants.update(created.assistant_id, { name: "Two", metadata: { b: 2 } });
    assert.deepEqual([updated.version, updated.name, updated.metadata], [2, "Two", { a: 1, b: 2 }]);
    await client.assistants.delete(created.assistant_id);
    await refused(client.assistants.get(created.assistant_id), 404, /./);
  });

  test("an id of one's own, twice", async () => {
    const assistantId = crypto.randomUUID();
    await client.assistants.create({ graphId: "chain", assistantId, name: "kept" });
    await refused(client.assistants.create({ graphId: "chain", assistantId }), 409, /./);
    const again = await client.assistants.create({ graphId: "chain", assistantId, ifExists: "do_nothing", name: "new" });
    assert.equal(again.name, "kept");
  });

  test("delete takes the threads along, if asked", async () => {
    const { assistant_id: id } = await client.assistants.create({ graphId: "chain" });
    const { thread_id: thread } = await client.threads.create();
    await client.runs.wait(thread, id, { input: { n: [] } });
    await client.assistants.delete(id, { deleteThreads: true });
    await refused(client.threads.get(thread), 404, /./);
  });
});

describe("versions", () => {
  test("are listed, and an old one can be the latest again, context and all", async () => {
    const { assistant_id: id } = await client.assistants.create({ graphId: "ctx", context: { model_name: "first" } });
    await client.assistants.update(id, { context: { model_name: "second" }, metadata: mark() });
    const versions = await client.assistants.getVersions(id);
    assert.deepEqual(versions.map((item) => [item.version, item.context.model_name]), [[2, "second"], [1, "first"]]);
    assert.deepEqual((await client.assistants.getVersions(id, { limit: 1, offset: 1 })).map((item) => item.version), [1]);
    const back = await client.assistants.setLatest(id, 1);
    assert.deepEqual([back.version, back.context.model_name], [1, "first"]);
    const { seen } = await client.runs.wait(null, id, { input: {} });
    assert.equal(seen.context.model_name, "first");
    await refused(client.assistants.setLatest(id, 7), 404, /7/);
  });
});

describe("search and count", () => {
  test("by metadata, graph and name; paged and sorted", async () => {
    const metadata = mark();
    const names = ["Ada", "Bob", "Cyd"];
    for (const name of names) await client.assistants.create({ graphId: "chain", name, metadata });
    const found = async (query) => (await client.assistants.search({ metadata, ...query })).map((item) => item.name);
    assert.deepEqual(await found({ sortBy: "name", sortOrder: "asc" }), names);
    assert.deepEqual(await found({ sortBy: "name", sortOrder: "desc", limit: 2 }), ["Cyd", "Bob"]);
    assert.deepEqual(await found({ name: "Bob" }), ["Bob"]);
    assert.deepEqual(await found({ graphId: "chat" }), []);
    assert.equal(await client.assistants.count({ metadata, graphId: "chain" }), 3);
    const page = await client.assistants.search({ metadata, limit: 2, includePagination: true });
    assert.deepEqual([page.assistants.length, page.next], [2, "2"]);
    const last = await client.assistants.search({ metadata, limit: 2, offset: 2, includePagination: true });
    assert.deepEqual([last.assistants.length, last.next], [1, null]);
    const picked = await client.assistants.search({ metadata, name: "Ada", select: ["name", "graph_id"] });
    assert.deepEqual(picked, [{ name: "Ada", graph_id: "chain" }]);
  });

  test("each graph has one from the start", async () => {
    const [own] = await client.assistants.search({ graphId: "nested", metadata: { created_by: "system" } });
    assert.equal(own.name, "nested");
    assert.deepEqual(await client.runs.wait(null, own.assistant_id, { input: { n: [] } }), {
      n: await client.runs.wait(null, "nested", { input: { n: [] } }).then((values) => values.n),
    });
  });
});

describe("the graph", () => {
  test("is drawn, with sub-graphs on request", async () => {
    const ids = async (options) => (await client.assistants.getGraph("nested", options)).nodes.map((node) => node.id);
    assert.deepEqual((await ids()).sort(), ["__end__", "__start__", "sub", "top"]);
    assert.ok((await ids({ xray: true })).includes("sub:deep:leaf"));
    assert.ok(!(await ids({ xray: 1 })).includes("sub:deep:leaf"));
    const { edges } = await client.assistants.getGraph("nested");
    assert.deepEqual(edges[0], { source: "__start__", target: "top" });
  });

  test("has schemas", async () => {
    const schemas = await client.assistants.getSchemas("ctx");
    assert.equal(schemas.graph_id, "ctx");
    assert.ok(schemas.input_schema && schemas.output_schema && schemas.state_schema);
    assert.deepEqual(Object.keys(schemas.context_schema.properties), ["model_name", "temperature"]);
  });

  test("has sub-graphs", async () => {
    assert.deepEqual(Object.keys(await client.assistants.getSubgraphs("nested")), ["sub"]);
    assert.deepEqual(Object.keys(await client.assistants.getSubgraphs("nested", { recurse: true })), ["sub", "sub|deep"]);
    const deep = await client.assistants.getSubgraphs("nested", { namespace: "sub|deep", recurse: true });
    assert.deepEqual(Object.keys(deep), ["sub|deep"]);
    assert.deepEqual(await client.assistants.getSubgraphs("nested", { namespace: "nobody" }), {});
  });
});

test("what is unknown is not found", async () => {
  await refused(client.assistants.get(UNKNOWN), 404, /./);
  await refused(client.assistants.update(UNKNOWN, { name: "x" }), 404, /./);
  await refused(client.assistants.delete(UNKNOWN), 404, /./);
  await refused(client.assistants.create({ graphId: "nowhere" }), 404, /nowhere/);
  await refused(client.assistants.getGraph(UNKNOWN), 404, /./);
});
