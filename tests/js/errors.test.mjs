// What is refused, and how: the status that the SDK's error carries, and a detail that names the field.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { client, collect, connect, newThread, refused, UNKNOWN } from "./support/client.mjs";

describe("creating a run", () => {
  const calls = {
    create: (thread, graph, payload) => client.runs.create(thread, graph, payload),
    wait: (thread, graph, payload) => client.runs.wait(thread, graph, payload),
    stream: (thread, graph, payload) => collect(client.runs.stream(thread, graph, payload)),
  };
  for (const [name, call] of Object.entries(calls)) {
    test(`${name}: an unknown thread, assistant or graph`, async () => {
      await refused(call(UNKNOWN, "chain", { input: {} }), 404, /not found/);
      await refused(call(await newThread(), UNKNOWN, { input: {} }), 404, /not found/);
      await refused(call(await newThread(), "nowhere", { input: {} }), 422, /nowhere.*chain/s);
    });

    test(`${name}: a field that cannot be understood is named`, async () => {
      const thread = await newThread();
      for (const [payload, text] of [
        [{ streamMode: "everything" }, /stream_mode.*values/],
        [{ multitaskStrategy: "maybe" }, /multitask_strategy/],
        [{ metadata: "x" }, /metadata/],
        [{ config: { recursion_limit: "many" } }, /recursion_limit/],
        [{ checkpointId: "here" }, /checkpoint/i],
        [{ interruptBefore: "ask" }, /interrupt_before/],
        [{ afterSeconds: "soon" }, /after_seconds/],
        [{ durability: "forever" }, /durability/],
        [{ ifNotExists: "perhaps" }, /if_not_exists/],
        [{ webhook: "not a url" }, /webhook/],
      ]) {
        if (name === "wait" && "streamMode" in payload) continue; // wait does not send it
        await refused(call(thread, "chain", { input: {}, ...payload }), 422, text);
      }
    });

    test(`${name}: an id that is none`, async () => {
      await refused(call("abc", "chain", { input: {} }), 422, /thread/i);
    });
  }
});

describe("looking up", () => {
  test("unknown runs and threads", async () => {
    await refused(client.runs.get(await newThread(), UNKNOWN), 404, /./);
    await refused(client.runs.get(UNKNOWN, UNKNOWN), 404, /./);
    await refused(client.runs.delete(await newThread(), UNKNOWN), 404, /./);
    await refused(client.runs.join(await newThread(), UNKNOWN), 404, /./);
    await refused(client.runs.list(UNKNOWN), 404, /./);
  });

  test("lists that make no sense", async () => {
    const thread = await newThread();
    await refused(client.runs.list(thread, { status: "nope" }), 422, /status.*success/);
    await refused(client.runs.list(thread, { select: ["run_id", "colour"] }), 422, /colour/);
    await refused(client.runs.list(thread, { limit: -1 }), 422, /limit/);
    await refused(client.threads.search({ select: ["colour"] }), 422, /colour/);
    await refused(client.threads.search({ status: "lazy" }), 422, /status/);
    await refused(client.assistants.search({ sortBy: "colour" }), 422, /sort_by/);
  });
});

test("a server that is not there", async () => {
  const nobody = connect("http://127.0.0.1:9", { callerOptions: { maxRetries: 0 } });
  await assert.rejects(nobody.threads.create(), { name: "ConnectionError" });
});
