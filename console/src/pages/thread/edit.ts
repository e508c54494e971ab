import { isObject, textOf } from "../../events/json";
import { isMessage } from "../../chat/message";
import { sameJson } from "../../chat/equality";
import type { Json } from "./types";

/**
 * The update that turns a state into the edited one: the keys that changed. Updates go through the graph's reducers, and the
 * messages reducer replaces by id, so only new and changed messages are sent, and deleted ones as removals.
 * Deleted keys are written as null.
 */
export function updateOf(before: unknown, after: unknown): Json {
  const old = isObject(before) ? before : {};
  const now = isObject(after) ? after : {};
  const update: Json = {};
  for (const [key, value] of Object.entries(now)) {
    if (!sameJson(old[key], value)) update[key] = writeOf(old[key], value);
  }
  for (const key of Object.keys(old)) if (!Object.hasOwn(now, key)) update[key] = null;
  return update;
}

function writeOf(before: unknown, after: unknown): unknown {
  if (!isMessages(before) || !isMessages(after)) return after;
  const kept = new Set(after.map((message) => textOf(message.id)));
  const known = new Map(before.map((message) => [textOf(message.id), message]));
  const gone = before.flatMap((message) => {
    const id = textOf(message.id);
    return id === null || kept.has(id) ? [] : [{ type: "remove", content: "", id }];
  });
  return [...gone, ...after.filter((message) => !sameJson(known.get(textOf(message.id)), message))];
}

function isMessages(value: unknown): value is Json[] {
  return Array.isArray(value) && value.every((each) => isMessage(each));
}
