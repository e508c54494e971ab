// Streams a simple run with values.
import { client, threadId } from "./address.mjs";

const stream = client.runs.stream(threadId, "agent", {
  input: { message: "Hello, how can you help me?" },
  streamMode: "values",
});

for await (const chunk of stream) {
  if (chunk.event === "values") {
    console.log("Current state:", JSON.stringify(chunk.data));
  }
}
