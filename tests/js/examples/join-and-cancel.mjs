// Joins an existing stream, stops reading after a time, then cancels the run.
import { client, threadId } from "./address.mjs";

const { run_id: runId } = await client.runs.create(threadId, "clock", {
  input: { ticks: 0 },
  streamMode: ["values", "messages"],
  config: { recursion_limit: 50000 },
});

// Monitor with cancellation support
const abortController = new AbortController();

const existingStream = client.runs.joinStream(threadId, runId, {
  streamMode: ["values", "messages"],
  lastEventId: "-1", // from the start
  signal: abortController.signal,
});

// Set timeout for stream monitoring
setTimeout(() => {
  abortController.abort();
  console.log("Stream monitoring cancelled");
}, 500);

try {
  for await (const chunk of existingStream) {
    if (abortController.signal.aborted) {
      break;
    }
    console.log("Stream event:", chunk.event);
    console.log("Data:", JSON.stringify(chunk.data));
  }
} catch (error) {
  if (error.name === "AbortError") {
    console.log("Stream was cancelled");
  } else {
    throw error;
  }
}

// Cancel a run if needed
await client.runs.cancel(threadId, runId, true, "interrupt");
console.log("After cancel it is", (await client.runs.get(threadId, runId)).status);
