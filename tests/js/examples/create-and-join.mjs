// Creates a run without streaming, waits for its end, gets its final status.
import { client, threadId } from "./address.mjs";

const run = await client.runs.create(threadId, "agent", {
  input: { query: "What's the weather like?" },
  config: {
    configurable: {
      temperature: 0.7,
      max_tokens: 1000,
    },
  },
  metadata: { priority: "high" },
  multitaskStrategy: "interrupt",
});

console.log("Created run:", run.run_id);
console.log("Status:", run.status);

// Wait for completion
await client.runs.join(threadId, run.run_id);

// Get updated run status
const updatedRun = await client.runs.get(threadId, run.run_id);
console.log("Final status:", updatedRun.status);
