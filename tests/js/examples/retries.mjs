// Error handling and recovery: attempts that are tagged, with exponential backoff between them.
import { client, threadId } from "./address.mjs";

async function robustStreamProcessing() {
  const maxRetries = 3;
  let retryCount = 0;

  while (retryCount < maxRetries) {
    try {
      const stream = client.runs.stream(threadId, "flaky", {
        input: { message: "Process this carefully" },
        streamMode: ["values", "debug"],
        config: {
          tags: [`attempt_${retryCount + 1}`],
        },
      });

      for await (const chunk of stream) {
        if (chunk.event === "values") {
          console.log("Processing:", JSON.stringify(chunk.data));
        } else if (chunk.event === "debug") {
          console.log("Debug:", Object.keys(chunk.data.payload).join(", "));
        } else if (chunk.event === "error") {
          // The SDK hands on what a node raised as an event.
          throw new Error(`${chunk.data.error}: ${chunk.data.message}`);
        }
      }

      console.log("Stream completed successfully");
      break;
    } catch (error) {
      retryCount++;
      console.error(`Attempt ${retryCount} failed:`, error.message);

      if (retryCount >= maxRetries) {
        console.error("All retry attempts exhausted");
        throw error;
      }

      // Exponential backoff
      const delay = Math.pow(2, retryCount) * 1000;
      console.log(`Retrying in ${delay}ms...`);
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}

await robustStreamProcessing();
