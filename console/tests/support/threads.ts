import type { Client } from "@langchain/langgraph-sdk";
import { expect } from "vitest";

import type { Page } from "./browser";

/** A thread on which `graph` ran once, to its end or to its questions. */
export async function ran(api: Client, graph: string, input: object): Promise<string> {
  const { thread_id } = await api.threads.create();
  await api.runs.wait(thread_id, graph, { input: input as Record<string, unknown> });
  return thread_id;
}

export const said = (text: string) => ({ messages: [{ role: "user", content: text }] });

/** Waits until the server says so, for as long as a test may. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  await expect.poll(holds, { timeout: 15_000, interval: 100 }).toBe(true);
}

export async function idle(api: Client, threadId: string): Promise<void> {
  await until(async () => (await api.threads.get(threadId)).status === "idle");
}

export async function texts(api: Client, threadId: string): Promise<string[]> {
  const { values } = await api.threads.getState<{ messages: { content: string }[] }>(threadId);
  return values.messages.map((message) => message.content);
}

export const chat = (page: Page) => page.getByRole("log", { name: "Conversation" });
export const rows = (page: Page) => page.getByRole("group", { name: "Checkpoints, newest first" }).getByRole("button");
