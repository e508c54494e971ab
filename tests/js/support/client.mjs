// What every test file starts from: the client of the chosen version, and short names for what tests do with it.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";

import { Client } from "@langchain/langgraph-sdk";

export const url = process.env.TREADLE_URL;
export const version = process.env.SDK_VERSION ?? "2.0.0";
/** 1.15.0 knows more than 2.0.0, which is older and yet what npm calls the latest. */
export const newer = version === "1.15.0";
export const connect = (apiUrl = url, more = {}) => new Client({ apiUrl, apiKey: null, ...more });
export const client = connect();

export const UNKNOWN = "00000000-0000-4000-8000-000000000000";

export const newThread = async () => (await client.threads.create()).thread_id;

/** All parts of a stream; each is handed to `see` as it comes. */
export async function collect(stream, see = () => {}) {
  const parts = [];
  for await (const part of stream) {
    parts.push(part);
    await see(part, parts);
  }
  return parts;
}

/**
 * Reads `start(signal)` until `seen(part)`, then goes away; the parts so far. Both SDKs leave the connection open when a
 * loop over their streams is left: only a signal closes it.
 */
export async function leave(start, seen) {
  const abort = new AbortController();
  const parts = [];
  const reading = collect(start(abort.signal), (part) => {
    parts.push(part);
    if (seen(part)) abort.abort();
  });
  await reading.catch((error) => assert.equal(error.name, "AbortError"));
  assert.ok(abort.signal.aborted, "the stream ended first");
  return parts;
}

/** The data of the parts with that event name. */
export const dataOf = (parts, event) => parts.filter((part) => part.event === event).map((part) => part.data);

export const names = (parts) => parts.map((part) => part.event);

export const seqOf = (part) => Number(part.id.split("-")[1]);

/** A run that waits at a gate, its path `[thread_id, run_id]`, and `open()` that lets it go on. */
export async function held(payload = {}, threadId = undefined) {
  const thread = threadId ?? (await newThread());
  const gate = newGate();
  const run = await client.runs.create(thread, "gated", {
    ...payload,
    input: { gate: gate.name, before: 3, after: 3, ...payload.input },
  });
  return { at: [thread, run.run_id], run, open: gate.open };
}

export function newGate() {
  const name = crypto.randomUUID();
  return { name, open: () => writeFile(path.join(process.env.GATES, name), "") };
}

/** The status of a run after its end. */
export async function ended(threadId, runId) {
  await client.runs.join(threadId, runId);
  return (await client.runs.get(threadId, runId)).status;
}

/** Asserts that the server refused with `status` and a detail like `text`. */
export async function refused(promise, status, text) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.status, status, error.message);
    assert.match(JSON.parse(error.text).detail, text);
    return true;
  });
}

/** Asks again until `what` gives something true, which is returned; a bounded number of times. */
export async function until(what, times = 400) {
  for (let left = times; left > 0; left -= 1) {
    const found = await what();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`nothing came of ${what}`);
}
