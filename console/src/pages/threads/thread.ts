import { client, keys, queries } from "../../api";
import type { FoundThread } from "./preview";

export async function remove(thread: FoundThread): Promise<void> {
  await client.threads.delete(thread.thread_id);
}

export async function changed(): Promise<void> {
  await queries.invalidateQueries({ queryKey: keys.threads() });
  await queries.invalidateQueries({ queryKey: keys.runs() });
}
