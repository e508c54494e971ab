import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";

import type { Client, StreamMode } from "@langchain/langgraph-sdk";

const MODES: StreamMode[] = ["values", "updates", "messages-tuple", "tasks"];
const WATCHED = { streamMode: MODES, streamSubgraphs: true };

export type Begun = { threadId: string; runId: string };

/** What somebody has who used the server for a while: enough of everything that there is a page for. */
export async function furnish(
  api: Client,
): Promise<{ assistantId: string; talk: Begun; revised: Begun; finished: Begun }> {
  const hooks = await receiver();
  const weekly = await api.assistants.create({
    graphId: "briefing",
    name: "weekly looms",
    description: "The weekly briefing on looms, for the newsletter.",
    context: { model: "scripted-small" },
    metadata: { team: "editors" },
  });
  await api.assistants.update(weekly.assistant_id, { context: { model: "scripted-large", temperature: 0.3 } });
  const talk = await begin(api, "support", question("The breast beam of my loom, order LM-2041, has warped."));
  const revised = await begin(api, weekly.assistant_id, { topic: "the treadle loom" });
  const finished = await begin(api, "briefing", { topic: "the treadle loom" });
  await nights(api, `${hooks.url}/hook`);
  await joined(api, talk, revised, finished);
  const again = await revise(api, revised, weekly.assistant_id);
  const published = await answer(api, finished, "briefing", "publish");
  await joined(api, again, published);
  await api.crons.create("intake", { schedule: "30 2 * * *", input: { file: "orders.csv" } });
  for (const [key, value] of NOTES) await api.store.putItem(["editors", "style"], key, value);
  hooks.close();
  return { assistantId: weekly.assistant_id, talk, revised, finished };
}

export async function begin(api: Client, graph: string, input: Record<string, unknown>): Promise<Begun> {
  const { thread_id: threadId } = await api.threads.create();
  const run = await api.runs.create(threadId, graph, { input, ...WATCHED, config: { tags: ["desk"] } });
  return { threadId, runId: run.run_id };
}

const NOTES: [string, Record<string, unknown>][] = [
  ["voice", { text: "Short sentences, no superlatives.", since: 2024 }],
  ["numbers", { text: "Digits from 10 on; a unit with every number." }],
];

function question(content: string): Record<string, unknown> {
  return { messages: [{ type: "human", content }] };
}

async function answer(api: Client, { threadId }: Begun, graph: string, resume: string): Promise<Begun> {
  const run = await api.runs.create(threadId, graph, { command: { resume }, ...WATCHED });
  return { threadId, runId: run.run_id };
}

/** Somebody drops the briefing, thinks better of it, and goes back to where it was asked: a branch of the history ends. */
async function revise(api: Client, { threadId }: Begun, graph: string): Promise<Begun> {
  const { checkpoint } = await api.threads.getState(threadId);
  await api.threads.updateState(threadId, { values: { verdict: "drop" }, asNode: "review" });
  const run = await api.runs.create(threadId, graph, {
    command: { resume: "revise: shorter" },
    checkpoint,
    ...WATCHED,
  });
  return { threadId, runId: run.run_id };
}

/** Imports of the last nights: most went well, two did not, one is put off. */
async function nights(api: Client, webhook: string): Promise<void> {
  const made: Begun[] = [];
  for (let night = 1; night <= 14; night += 1) {
    const { thread_id: threadId } = await api.threads.create({ metadata: { night } });
    const broken = night === 5 || night === 11;
    const input = { file: `orders-${String(night).padStart(2, "0")}.csv`, broken, seconds: 0.05 + (night % 4) / 10 };
    const options = { input, webhook, config: { tags: ["nightly"] }, metadata: { night }, ...WATCHED };
    const run = await api.runs.create(threadId, "intake", options);
    made.push({ threadId, runId: run.run_id });
  }
  const { thread_id: later } = await api.threads.create();
  await api.runs.create(later, "intake", { input: { file: "orders-15.csv" }, afterSeconds: 36_000, ...WATCHED });
  await joined(api, ...made);
}

/** Waits until the runs are over, however they ended. */
async function joined(api: Client, ...runs: Begun[]): Promise<void> {
  await Promise.all(runs.map(({ threadId, runId }) => api.runs.join(threadId, runId).catch(() => undefined)));
}

/** Takes webhooks. */
async function receiver(): Promise<{ url: string; close: () => void }> {
  const server: HttpServer = createServer((_request, response) => response.writeHead(204).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
