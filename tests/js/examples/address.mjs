// What every example needs: the client, and a thread of its own.
import { Client } from "@langchain/langgraph-sdk";

/** The address is the first argument, else where `treadle serve` listens. */
export const client = new Client({ apiUrl: process.argv[2] ?? "http://127.0.0.1:2024", apiKey: null });

export const { thread_id: threadId } = await client.threads.create();
