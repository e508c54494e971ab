// Reading a run that others started: live, after its end, from any event id, several at once.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, collect, dataOf, ended, held, leave, names, newThread, seqOf, UNKNOWN } from "./support/client.mjs";

const MODES = ["values", "updates", "custom"];

/** A run that has ended, and all its events. */
async function finished(graph = "custom", input = { tokens: 30 }, more = {}) {
  const thread = await newThread();
  const parts = await collect(client.runs.stream(thread, graph, { input, streamMode: MODES, ...more }));
  return { thread, id: parts[0].data.run_id, parts };
}

const join = (thread, id, options) => collect(client.runs.joinStream(thread, id, options));

describe("after the end", () => {
  test("from the start, on the thread and without it", async () => {
    const { thread, id, parts } = await finished();
    assert.deepEqual(await join(thread, id, { lastEventId: "-1" }), parts);
    assert.deepEqual(await join(null, id, { lastEventId: "-1" }), parts);
  });

  test("after each id comes the exact rest", async () => {
    const { thread, id, parts } = await finished();
    for (const [index, part] of parts.entries()) {
      assert.deepEqual(await join(thread, id, { lastEventId: part.id }), parts.slice(index + 1));
    }
  });

  test("without an id comes everything", async () => {
    const { thread, id, parts } = await finished();
    assert.deepEqual(await join(thread, id), parts);
  });

  test("a list of modes picks events, metadata only if named", async () => {
    const { thread, id, parts } = await finished();
    const only = async (streamMode) => join(thread, id, { lastEventId: "-1", streamMode });
    assert.deepEqual(await only(["custom", "values"]), parts.filter((part) => ["custom", "values"].includes(part.event)));
    assert.deepEqual(names(await only("metadata")), ["metadata"]);
  });

  test("the replay of a failed run holds its error", async () => {
    const { thread, id, parts } = await finished("boom", { n: [] });
    assert.equal(parts.at(-1).event, "error");
    assert.deepEqual(await join(thread, id, { lastEventId: "-1" }), parts);
  });

  test("a run without a thread can be read by its id alone", async () => {
    const parts = await collect(client.runs.stream(null, "chain", { input: { n: [] } }));
    assert.deepEqual(await join(null, parts[0].data.run_id, { lastEventId: parts[1].id }), parts.slice(2));
  });

  test("interrupted by the graph: state and interrupt", async () => {
    const thread = await newThread();
    const run = await client.runs.create(thread, "hil", { input: { log: [] } });
    await client.runs.join(thread, run.run_id);
    const values = await client.runs.join(thread, run.run_id);
    assert.deepEqual(values.log, ["before"]);
    assert.deepEqual(values.__interrupt__[0].value, { question: "ok?" });
  });

  test("an unknown run is not found", async () => {
    await assert.rejects(join(await newThread(), UNKNOWN), (error) => error.status === 404);
    await assert.rejects(join(null, UNKNOWN), (error) => error.status === 404);
  });
});

describe("while it runs", () => {
  test("two readers see the same, to the end", async () => {
    const { at, open } = await held({ streamMode: "custom" });
    const counts = [0, 0];
    const read = (who) =>
      collect(client.runs.joinStream(...at, { lastEventId: "-1" }), async (part) => {
        counts[who] += part.event === "custom";
        if (counts.every((count) => count >= 3)) await open();
      });
    const [one, other] = await Promise.all([read(0), read(1)]);
    assert.deepEqual(one, other);
    assert.deepEqual(dataOf(one, "custom").map((data) => data.number), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(one.map(seqOf), one.map((_, index) => index + 1));
  });

  test("the rest after an id goes over from old to new without a seam", async () => {
    const { at, open } = await held({ streamMode: "custom" });
    const from = (lastEventId) => (signal) => client.runs.joinStream(...at, { lastEventId, signal });
    const [, first] = await leave(from("-1"), (part) => part.data.number === 2);
    const rest = await collect(from(first.id)(), (part) => part.data.number === 2 && open());
    assert.deepEqual(rest.map((part) => part.data.number), [1, 2, 3, 4, 5]);
  });

  test("join waits for the result", async () => {
    const { at, open } = await held();
    const result = client.runs.join(...at);
    await open();
    assert.deepEqual((await result).log, ["start", "work", "finish"]);
  });

  test("an AbortSignal ends the reading, not the run", async () => {
    const { at, open } = await held({ streamMode: "custom" });
    const reading = (signal) => client.runs.joinStream(...at, { signal, lastEventId: "-1" });
    assert.equal(dataOf(await leave(reading, (part) => part.data.number === 2), "custom").length, 3);
    assert.equal((await client.runs.get(...at)).status, "running");
    await open();
    assert.deepEqual((await client.runs.join(...at)).log, ["start", "work", "finish"]);
  });

  test("cancelOnDisconnect stops the run with its reader", async () => {
    const { at } = await held({ streamMode: "custom" });
    const options = { lastEventId: "-1", cancelOnDisconnect: true };
    await leave((signal) => client.runs.joinStream(...at, { ...options, signal }), (part) => part.event === "custom");
    assert.equal(await ended(...at), "interrupted");
  });

  test("a bare signal is an option of its own", async () => {
    const { at, open } = await held({ streamMode: "custom" });
    const abort = AbortSignal.timeout(50);
    await collect(client.runs.joinStream(...at, abort)).catch((error) => assert.match(error.name, /Abort|Timeout/));
    await open();
    assert.equal(await ended(...at), "success");
  });
});
