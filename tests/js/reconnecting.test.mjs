// A connection that breaks in mid-stream. Both versions go on at the Location that the server announced.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, collect, connect, dataOf, newer, newGate, newThread, seqOf, url } from "./support/client.mjs";
import { afterFrames, cuttingProxy } from "./support/proxy.mjs";

/** A client behind a proxy that cuts where `cut` says. */
async function behind(t, cut) {
  const proxy = await cuttingProxy(url, cut);
  t.after(proxy.close);
  return { proxy, cutClient: connect(proxy.url) };
}

const dense = (parts) => assert.deepEqual(parts.map(seqOf), parts.map((_, index) => index + 1));

// The SDKs wait a second or two before they try again, so these run side by side.
describe("a cut connection", { concurrency: true }, () => {
  test("stream goes on after the last event, without loss or repeat", async (t) => {
    const { proxy, cutClient } = await behind(t, afterFrames(20));
    const thread = await newThread();
    const parts = await collect(cutClient.runs.stream(thread, "custom", { input: { tokens: 100 }, streamMode: "custom" }));
    assert.equal(proxy.cuts, 1);
    dense(parts);
    assert.deepEqual(dataOf(parts, "custom").map((data) => data.i), Array.from({ length: 100 }, (_, i) => i));
  });

  test("stream of a run that still runs goes on live", async (t) => {
    const { proxy, cutClient } = await behind(t, afterFrames(3));
    const gate = newGate();
    const payload = { input: { gate: gate.name, before: 10, after: 10 }, streamMode: ["custom", "values"] };
    const parts = await collect(cutClient.runs.stream(await newThread(), "gated", payload), async (part) => {
      if (part.data.number === 9) await gate.open();
    });
    assert.equal(proxy.cuts, 1);
    dense(parts);
    assert.equal(dataOf(parts, "custom").length, 20);
    assert.deepEqual(dataOf(parts, "values").at(-1).log, ["start", "work", "finish"]);
  });

  test("a run without a thread goes on too", async (t) => {
    const { proxy, cutClient } = await behind(t, afterFrames(5));
    const parts = await collect(cutClient.runs.stream(null, "custom", { input: { tokens: 30 }, streamMode: "custom" }));
    assert.equal(proxy.cuts, 1);
    dense(parts);
    assert.equal(parts.length, 31);
  });

  test("joinStream goes on after the last event, with the modes it asked for", async (t) => {
    const { proxy, cutClient } = await behind(t, afterFrames(4));
    const thread = await newThread();
    const payload = { input: { tokens: 30 }, streamMode: ["custom", "values", "debug"] };
    const run = await client.runs.create(thread, "custom", payload);
    await client.runs.join(thread, run.run_id);
    const options = { lastEventId: "-1", streamMode: ["custom", "values"] };
    const parts = await collect(cutClient.runs.joinStream(thread, run.run_id, options));
    assert.equal(proxy.cuts, 1);
    assert.deepEqual(parts, await collect(client.runs.joinStream(thread, run.run_id, options)));
  });

  test("a cut within a frame loses nothing", async (t) => {
    const middle = (answer, number) => number === 1 && answer.includes('"i":7') && answer.indexOf('"i":7') + 3;
    const { proxy, cutClient } = await behind(t, middle);
    const parts = await collect(cutClient.runs.stream(await newThread(), "custom", { input: { tokens: 30 }, streamMode: "custom" }));
    assert.equal(proxy.cuts, 1);
    const wholly = dataOf(parts, "custom").filter((data) => data !== null);
    assert.deepEqual(wholly.map((data) => data.i), Array.from({ length: 30 }, (_, i) => i));
  });
});

if (newer) test("a request that did not get through is told, not sent twice", async (t) => {
  const { proxy, cutClient } = await behind(t, () => true);
  const thread = await newThread();
  await assert.rejects(cutClient.runs.create(thread, "chain", { input: { n: [] } }), { name: "ConnectionError" });
  assert.equal(proxy.connections, 1);
  assert.equal((await client.runs.list(thread)).length, 1);
});
