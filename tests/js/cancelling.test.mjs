// Stopping runs: cancel, its two actions, many at once, and clients that go away.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, collect, dataOf, ended, held, leave, newer, newGate, newThread, refused, UNKNOWN, until } from "./support/client.mjs";

describe("cancel", () => {
  test("with wait: the run is interrupted, what it did is kept", async () => {
    const { at } = await held();
    await collect(client.runs.joinStream(...at, { lastEventId: "-1", streamMode: "values" }), (part) => {
      if (part.data.log?.length === 1) return client.runs.cancel(...at, true);
    });
    assert.equal((await client.runs.get(...at)).status, "interrupted");
    const state = await client.threads.getState(at[0]);
    assert.deepEqual([state.values.log, state.next], [["start"], ["work"]]);
    assert.equal((await client.threads.get(at[0])).status, "interrupted");
  });

  test("without wait it returns at once; the stream closes", async () => {
    const { at } = await held();
    const reading = collect(client.runs.joinStream(...at, { lastEventId: "-1" }));
    await client.runs.cancel(...at);
    assert.ok((await reading).every((part) => part.event !== "error"));
    assert.equal((await client.runs.get(...at)).status, "interrupted");
  });

  for (const wait of [true, false]) {
    test(`rollback, wait ${wait}: the run and what it did are gone, the thread is free`, async () => {
      const thread = await newThread();
      await client.runs.wait(thread, "gated", { input: {} });
      const { at } = await held({}, thread);
      await client.runs.cancel(...at, wait, "rollback");
      if (!wait) await client.runs.join(...at).catch((error) => assert.equal(error.status, 404));
      await refused(client.runs.get(...at), 404, /./);
      assert.deepEqual((await client.threads.getState(thread)).values.log, ["start", "work", "finish"]);
      assert.equal((await client.threads.get(thread)).status, "idle");
    });
  }

  test("of a run that waits its turn leaves the running one alone", async () => {
    const first = await held();
    const second = await held({}, first.at[0]);
    await client.runs.cancel(...second.at, true);
    assert.equal((await client.runs.get(...second.at)).status, "interrupted");
    await first.open();
    assert.equal(await ended(...first.at), "success");
  });

  test("of what is over or unknown is not found", async () => {
    const thread = await newThread();
    const run = await client.runs.create(thread, "chain", { input: { n: [] } });
    await client.runs.join(thread, run.run_id);
    await refused(client.runs.cancel(thread, run.run_id), 404, /cancel/);
    await refused(client.runs.cancel(thread, UNKNOWN), 404, /cancel/);
  });

  test("the thread works on afterwards", async () => {
    const { at } = await held();
    await client.runs.cancel(...at, true);
    assert.deepEqual((await client.runs.wait(at[0], "gated", { input: { gate: "" } })).log.slice(-3), ["start", "work", "finish"]);
  });
});

if (newer) describe("cancelMany", () => {
  test("by ids", async () => {
    const first = await held();
    const second = await held({}, first.at[0]);
    await client.runs.cancelMany({ threadId: first.at[0], runIds: [first.at[1], second.at[1]] });
    assert.deepEqual([await ended(...first.at), await ended(...second.at)], ["interrupted", "interrupted"]);
  });

  test("by ids, rolled back", async () => {
    const { at } = await held();
    await client.runs.cancelMany({ threadId: at[0], runIds: [at[1]], action: "rollback" });
    await client.runs.join(...at).catch((error) => assert.equal(error.status, 404));
    await refused(client.runs.get(...at), 404, /./);
  });

  test("neither ids nor status is refused", async () => {
    await refused(client.runs.cancelMany({}), 422, /status/);
  });
});

describe("a client that goes away", () => {
  for (const [onDisconnect, threaded] of [["cancel", true], ["cancel", false]]) {
    test(`onDisconnect cancel stops the run ${threaded ? "of a thread" : "without a thread"}`, async () => {
      const thread = threaded ? await newThread() : null;
      const gate = newGate().name;
      const input = { gate, before: 1 };
      const payload = { input, streamMode: "custom", onDisconnect, onCompletion: threaded ? undefined : "keep" };
      const reading = (signal) => client.runs.stream(thread, "gated", { ...payload, signal });
      const [{ data }] = await leave(reading, (part) => part.event === "custom");
      const kept = async () => (await client.threads.search({ values: { gate } }))[0]?.thread_id;
      assert.equal(await ended(thread ?? (await until(kept)), data.run_id), "interrupted");
    });
  }

  test("onDisconnect continue lets it run", async () => {
    const thread = await newThread();
    const gate = newGate();
    const payload = { input: { gate: gate.name, before: 1 }, streamMode: "custom", onDisconnect: "continue" };
    const reading = (signal) => client.runs.stream(thread, "gated", { ...payload, signal });
    const [{ data }] = await leave(reading, (part) => part.event === "custom");
    await gate.open();
    assert.equal(await ended(thread, data.run_id), "success");
  });

  test("wait with onDisconnect cancel stops with its signal", async () => {
    const thread = await newThread();
    const abort = new AbortController();
    const payload = { input: { gate: newGate().name }, onDisconnect: "cancel", signal: abort.signal };
    const waiting = client.runs.wait(thread, "gated", payload);
    const refusal = assert.rejects(waiting, { name: "AbortError" });
    const run = await until(async () => (await client.runs.list(thread, { status: "running" }))[0]);
    abort.abort();
    await refusal;
    assert.equal(await ended(thread, run.run_id), "interrupted");
  });

  test("a run is stopped in the middle of its events", async () => {
    const thread = await newThread();
    const parts = await collect(client.runs.stream(thread, "clock", { input: { ticks: 0 }, config: { recursion_limit: 10000 } }), (part, all) => {
      if (part.data.ticks === 5) return client.runs.cancel(thread, all[0].data.run_id, true);
    });
    const last = dataOf(parts, "values").at(-1).ticks;
    assert.ok(last >= 5);
    assert.equal((await client.threads.getState(thread)).values.ticks, last);
  });
});
