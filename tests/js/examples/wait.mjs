// Waits for completion, with a limit in time.
import { client, threadId } from "./address.mjs";

const waitFor = async (assistantId, seconds) => {
  try {
    const result = await client.runs.wait(threadId, assistantId, {
      input: { message: "Process this request" },
      // The SDK limits the time by a signal; without onDisconnect the run would go on.
      signal: AbortSignal.timeout(seconds * 1000),
      onDisconnect: "cancel",
      config: {
        recursion_limit: 50000,
      },
    });
    console.log("Final result:", JSON.stringify(result));
  } catch (error) {
    if (error.name === "TimeoutError") {
      console.log("Run timed out");
    } else {
      console.error("Run failed:", error);
    }
  }
};

await waitFor("agent", 30);
await waitFor("clock", 0.5);

const [last] = await client.runs.list(threadId, { limit: 1 });
await client.runs.join(threadId, last.run_id);
console.log("The run that took too long is", (await client.runs.get(threadId, last.run_id)).status);
