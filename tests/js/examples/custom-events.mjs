// Streams with custom event handling: nodes write {type, payload, component}, type progress, warning or metric.
import { client, threadId } from "./address.mjs";

const customStream = client.runs.stream(threadId, "agent", {
  input: { task: "complex_analysis" },
  streamMode: ["values", "custom"],
  streamSubgraphs: true,
  metadata: { enable_custom_events: true },
});

for await (const chunk of customStream) {
  switch (chunk.event.split("|")[0]) {
    case "values":
      console.log("Progress:", chunk.data.progress);
      console.log("Messages count:", chunk.data.messages?.length ?? 0);
      break;
    case "custom": {
      const customEvent = chunk.data;
      console.log(`Custom ${customEvent.type} from ${customEvent.component}:`);
      console.log(customEvent.payload);
      if (customEvent.type === "warning") {
        console.warn("Warning received:", customEvent.payload);
      }
      break;
    }
  }
}
