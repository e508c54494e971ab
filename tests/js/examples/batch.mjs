// Creates multiple runs of two assistants in parallel.
import { client } from "./address.mjs";

const { assistant_id: reporter } = await client.assistants.create({ graphId: "reporter", name: "Reporter" });

const batchPayloads = [
  {
    assistantId: "agent",
    input: { task: "analyze_data_1" },
    config: { tags: ["batch", "data_analysis"] },
  },
  {
    assistantId: reporter,
    input: { task: "generate_report_1" },
    config: { tags: ["batch", "reporting"] },
  },
  {
    assistantId: "agent",
    input: { task: "analyze_data_2" },
    config: { tags: ["batch", "data_analysis"] },
  },
];

const batchRuns = await client.runs.createBatch(batchPayloads);
console.log(`Created ${batchRuns.length} runs in batch`);

// Monitor all runs: each has a thread of its own
const runPromises = batchRuns.map((run) => client.runs.join(run.thread_id, run.run_id));
for (const { answer } of await Promise.all(runPromises)) {
  console.log("Result:", answer);
}
console.log("All batch runs completed");
