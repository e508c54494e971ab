// The store: items by namespace and key, searched by filters, their namespaces listed.
import assert from "node:assert/strict";
import { test } from "node:test";

import { client } from "./support/client.mjs";

const fresh = () => ["js", crypto.randomUUID()];

test("put, get, put again, delete", async () => {
  const namespace = fresh();
  await client.store.putItem(namespace, "one", { a: 1 });
  const item = await client.store.getItem(namespace, "one");
  assert.deepEqual([item.namespace, item.key, item.value], [namespace, "one", { a: 1 }]);
  assert.ok(Date.parse(item.createdAt) <= Date.parse(item.updatedAt));
  await client.store.putItem(namespace, "one", { a: 2 });
  assert.deepEqual((await client.store.getItem(namespace, "one")).value, { a: 2 });
  await client.store.deleteItem(namespace, "one");
  assert.equal(await client.store.getItem(namespace, "one"), null);
});

test("what is not there is null, and deleting it is no error", async () => {
  assert.equal(await client.store.getItem(fresh(), "none"), null);
  await client.store.deleteItem(fresh(), "none");
});

test("search by prefix, filter, limit and offset", async () => {
  const namespace = fresh();
  for (const n of [1, 2, 3]) await client.store.putItem([...namespace, `part${n}`], `item${n}`, { n, even: n % 2 === 0 });
  const keys = async (options) => (await client.store.searchItems(namespace, options)).items.map((item) => item.key).sort();
  assert.deepEqual(await keys(), ["item1", "item2", "item3"]);
  assert.deepEqual(await keys({ filter: { even: true } }), ["item2"]);
  assert.deepEqual(await keys({ filter: { n: { $gt: 1 } } }), ["item2", "item3"]);
  assert.equal((await keys({ limit: 2 })).length, 2);
  assert.equal((await keys({ limit: 2, offset: 2 })).length, 1);
});

test("namespaces by prefix, suffix and depth", async () => {
  const [root, id] = fresh();
  for (const rest of [["a", "x"], ["b", "x"], ["b", "y"]]) await client.store.putItem([root, id, ...rest], "k", {});
  const listed = async (options) => (await client.store.listNamespaces({ prefix: [root, id], ...options })).namespaces;
  assert.equal((await listed()).length, 3);
  assert.deepEqual((await listed({ suffix: ["y"] })), [[root, id, "b", "y"]]);
  assert.deepEqual((await listed({ maxDepth: 3 })).sort(), [[root, id, "a"], [root, id, "b"]]);
  assert.equal((await listed({ limit: 1 })).length, 1);
});

test("a ttl and a refresh are understood", async () => {
  const namespace = fresh();
  await client.store.putItem(namespace, "k", { a: 1 }, { ttl: 60, index: false });
  assert.deepEqual((await client.store.getItem(namespace, "k", { refreshTtl: true })).value, { a: 1 });
});

test("a namespace that cannot be is refused", async () => {
  await assert.rejects(client.store.putItem([], "k", {}), (error) => error.status === 400 || error.status === 422);
  await assert.rejects(client.store.putItem(["a", ""], "k", {}), (error) => error.status === 422);
});
