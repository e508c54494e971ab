// Lists the successful runs of the last 24 hours and deletes failed runs that are older than 7 days.
import { client, threadId } from "./address.mjs";

const HOUR = 60 * 60 * 1000;

async function manageRuns() {
  // List recent runs
  const runs = await client.runs.list(threadId, {
    limit: 50,
    status: "success",
    createdAfter: new Date(Date.now() - 24 * HOUR).toISOString(),
  });
  console.log(`Found ${runs.length} successful runs from last 24h`);

  // Clean up old failed runs. The SDK does not send createdBefore, so what it lists is looked at once more.
  const createdBefore = new Date(Date.now() - Number(process.argv[3] ?? 7 * 24 * HOUR)).toISOString();
  const failedRuns = await client.runs.list(threadId, { status: "error", createdBefore });

  for (const run of failedRuns.filter((failed) => new Date(failed.created_at) < new Date(createdBefore))) {
    try {
      await client.runs.delete(threadId, run.run_id);
      console.log(`Deleted failed run: ${run.run_id}`);
    } catch (error) {
      console.error(`Failed to delete run ${run.run_id}:`, error);
    }
  }
}

await client.runs.wait(threadId, "agent", { input: { message: "one" } });
await client.runs.wait(threadId, "flaky", { input: {}, raiseError: false });
await manageRuns();
console.log("Left:", (await client.runs.list(threadId)).map((run) => run.status).join(", "));
