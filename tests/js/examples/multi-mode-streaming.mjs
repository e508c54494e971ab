// Streams with multiple modes for comprehensive monitoring.
import { client, threadId } from "./address.mjs";

const multiModeStream = client.runs.stream(threadId, "agent", {
  input: {
    message: "Analyze this data",
    data: [1, 2, 3, 4, 5],
  },
  streamMode: ["values", "updates", "messages", "debug"],
  streamSubgraphs: true,
  metadata: { session_id: "session_789" },
});

for await (const chunk of multiModeStream) {
  // Events of sub-graphs are called `values|sums:<task id>`, those of messages `messages/partial`.
  const [mode, namespace] = chunk.event.split(/[|/]/);
  switch (mode) {
    case "values":
      console.log("State values:", JSON.stringify(chunk.data));
      break;
    case "updates":
      console.log(`State updates of ${namespace ?? "the graph"}:`, JSON.stringify(chunk.data));
      break;
    case "messages":
      console.log(`Messages (${namespace}):`, JSON.stringify(chunk.data));
      break;
    case "debug":
      console.log("Debug info:", chunk.data.type, "of step", chunk.data.step);
      break;
  }
  // When the server recorded it: ids are `<unix ms>-<number>`.
  console.log("Timestamp:", new Date(Number(chunk.id.split("-")[0])).toISOString());
}
