// A second run on a thread that is busy.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, collect, ended, held, leave, names, newGate, refused } from "./support/client.mjs";

const next = { input: { gate: "", before: 0 } };

/** A run at its gate, known to have done its first step. */
async function busy() {
  const first = await held();
  const reading = (signal) => client.runs.joinStream(...first.at, { lastEventId: "-1", signal });
  await leave(reading, (part) => part.data.log?.length === 1);
  return first;
}

describe("multitaskStrategy", () => {
  test("reject refuses with 409 in create, stream and wait", async () => {
    const { at, open } = await busy();
    const payload = { ...next, multitaskStrategy: "reject" };
    await refused(client.runs.create(at[0], "gated", payload), 409, /already running/);
    await refused(collect(client.runs.stream(at[0], "gated", payload)), 409, /already running/);
    await refused(client.runs.wait(at[0], "gated", payload), 409, /already running/);
    await open();
    assert.equal(await ended(...at), "success");
    assert.deepEqual((await client.runs.wait(at[0], "gated", payload)).log.length, 6);
  });

  test("enqueue runs one after the other, in order", async () => {
    const first = await busy();
    const runs = [];
    for (const before of [1, 2, 3]) {
      runs.push(await client.runs.create(first.at[0], "gated", { input: { gate: "", before }, multitaskStrategy: "enqueue" }));
    }
    assert.deepEqual(new Set(runs.map((run) => run.status)), new Set(["pending"]));
    assert.equal((await client.threads.get(first.at[0])).status, "busy");
    await first.open();
    assert.deepEqual((await client.runs.join(first.at[0], runs[2].run_id)).log.length, 12);
    const done = (await client.runs.list(first.at[0])).map((run) => run.updated_at);
    assert.deepEqual(done, done.toSorted().toReversed());
  });

  test("interrupt stops the first and starts on top of it", async () => {
    const first = await busy();
    const reading = collect(client.runs.joinStream(...first.at, { lastEventId: "-1" }));
    const values = await client.runs.wait(first.at[0], "gated", { ...next, multitaskStrategy: "interrupt" });
    assert.deepEqual(values.log, ["start", "start", "work", "finish"]);
    assert.ok(!names(await reading).includes("error"));
    assert.equal((await client.runs.get(...first.at)).status, "interrupted");
    assert.equal((await client.threads.get(first.at[0])).status, "idle");
  });

  test("rollback takes the first away and starts before it", async () => {
    const first = await busy();
    const values = await client.runs.wait(first.at[0], "gated", { ...next, multitaskStrategy: "rollback" });
    assert.deepEqual(values.log, ["start", "work", "finish"]);
    await refused(client.runs.get(...first.at), 404, /./);
    assert.equal((await client.threads.get(first.at[0])).status, "idle");
  });

  test("streams of queued runs start with their turn", async () => {
    const first = await busy();
    const gate = newGate();
    await gate.open();
    const reading = collect(client.runs.stream(first.at[0], "gated", { input: { gate: gate.name }, streamMode: "updates" }));
    await first.open();
    assert.deepEqual(names(await reading), ["metadata", "updates", "updates", "updates"]);
    assert.equal((await client.runs.get(...first.at)).status, "success");
  });

  test("an unknown strategy is refused by name", async () => {
    const { at, open } = await held();
    await refused(client.runs.create(at[0], "gated", { multitaskStrategy: "queue" }), 422, /multitask_strategy.*enqueue/);
    await open();
  });
});
