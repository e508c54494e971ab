import { client, keys, queries } from "../../api";
import type { ThreadRow } from "./preview";

export async function remove(thread: ThreadRow): Promise<void> {
  await client.threads.delete(thread.thread_id);
}

export async function changed(): Promise<void> {
  await queries.invalidateQueries({ queryKey: keys.threads() });
  await queries.invalidateQueries({ queryKey: keys.runs() });
}
