// Crons: runs by the clock, on a thread or on one of their own.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, newer, newThread, refused, UNKNOWN } from "./support/client.mjs";

const YEARLY = "0 0 1 1 *";

test("create, search, count, update, delete", async () => {
  const metadata = { mark: crypto.randomUUID() };
  const cron = await client.crons.create("chain", { schedule: YEARLY, input: { n: [] }, metadata });
  assert.deepEqual([cron.schedule, cron.thread_id, cron.enabled], [YEARLY, null, true]);
  assert.ok(Date.parse(cron.next_run_date) > Date.now());
  const mine = async () => (await client.crons.search({ assistantId: cron.assistant_id, limit: 100 })).filter((item) => item.cron_id === cron.cron_id);
  assert.deepEqual((await mine()).map((item) => item.payload.input), [{ n: [] }]);
  assert.ok((await client.crons.count({ assistantId: cron.assistant_id })) >= 1);
  const updated = await client.crons.update(cron.cron_id, { schedule: "0 12 * * *", enabled: false, metadata: { more: 1 } });
  assert.deepEqual([updated.schedule, updated.enabled], ["0 12 * * *", false]);
  assert.deepEqual(updated.metadata.mark, metadata.mark);
  await client.crons.delete(cron.cron_id);
  assert.deepEqual(await mine(), []);
});

test("on a thread", async () => {
  const thread = await newThread();
  const cron = await client.crons.createForThread(thread, "chain", { schedule: YEARLY, input: { n: [] } });
  assert.equal(cron.thread_id, thread);
  assert.deepEqual((await client.crons.search({ threadId: thread })).map((item) => item.cron_id), [cron.cron_id]);
  assert.equal(await client.crons.count({ threadId: thread }), 1);
  await client.crons.delete(cron.cron_id);
  assert.equal(await client.crons.count({ threadId: thread }), 0);
});

if (newer) {
  test("with a time zone and an end", async () => {
    const endTime = new Date(Date.now() + 3600_000 * 24 * 800).toISOString();
    const cron = await client.crons.create("chain", { schedule: YEARLY, timezone: "Europe/Berlin", endTime, onRunCompleted: "keep" });
    assert.deepEqual([cron.timezone, Date.parse(cron.end_time), cron.on_run_completed], ["Europe/Berlin", Date.parse(endTime), "keep"]);
    assert.equal(new Date(cron.next_run_date).getUTCHours(), 23);
    await client.crons.delete(cron.cron_id);
  });
}

describe("what is refused", () => {
  test("a schedule that is none, an unknown assistant, thread or cron", async () => {
    await refused(client.crons.create("chain", { schedule: "now and then" }), 422, /schedule/);
    await assert.rejects(client.crons.create(UNKNOWN, { schedule: YEARLY }), (error) => error.status === 404);
    await assert.rejects(client.crons.createForThread(UNKNOWN, "chain", { schedule: YEARLY }), (error) => error.status === 404);
    await assert.rejects(client.crons.update(UNKNOWN, { schedule: YEARLY }), (error) => error.status === 404);
    await assert.rejects(client.crons.delete(UNKNOWN), (error) => error.status === 404);
  });
});
