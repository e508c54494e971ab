import { isObject, textOf } from "../../events/json";
import { sameJson } from "../../chat/equality";

/** A path segment: a key, a list index, or the id of a list item. */
export type Step = string | number | { id: string };

export type Change =
  | { kind: "added"; path: readonly Step[]; after: unknown }
  | { kind: "removed"; path: readonly Step[]; before: unknown }
  | { kind: "changed"; path: readonly Step[]; before: unknown; after: unknown };

/** The changes that turn `before` into `after`, by path. */
export function diffOf(before: unknown, after: unknown, path: readonly Step[] = []): Change[] {
  if (sameJson(before, after)) return [];
  if (isObject(before) && isObject(after)) return objects(before, after, path);
  if (Array.isArray(before) && Array.isArray(after)) return lists(before, after, path);
  if (before === undefined) return [{ kind: "added", path, after }];
  if (after === undefined) return [{ kind: "removed", path, before }];
  return [{ kind: "changed", path, before, after }];
}

type Json = Record<string, unknown>;

function objects(before: Json, after: Json, path: readonly Step[]): Change[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) => {
    const step = [...path, key];
    if (!Object.hasOwn(before, key)) return [{ kind: "added" as const, path: step, after: after[key] }];
    if (!Object.hasOwn(after, key)) return [{ kind: "removed" as const, path: step, before: before[key] }];
    return diffOf(before[key], after[key], step);
  });
}

function lists(before: readonly unknown[], after: readonly unknown[], path: readonly Step[]): Change[] {
  const old = byId(before);
  const now = byId(after);
  return old !== null && now !== null ? identified(old, now, path) : placed(before, after, path);
}

/** Items by id, if every item has a unique one (messages, documents). */
function byId(list: readonly unknown[]): Map<string, unknown> | null {
  const items = new Map<string, unknown>();
  for (const item of list) {
    const id = isObject(item) ? textOf(item.id) : null;
    if (id === null || items.has(id)) return null;
    items.set(id, item);
  }
  return items;
}

function identified(old: Map<string, unknown>, now: Map<string, unknown>, path: readonly Step[]): Change[] {
  const gone = [...old].filter(([id]) => !now.has(id));
  const removed = gone.map(([id, before]): Change => ({ kind: "removed", path: [...path, { id }], before }));
  const rest = [...now].flatMap(([id, after]): Change[] => {
    if (!old.has(id)) return [{ kind: "added", path: [...path, { id }], after }];
    return diffOf(old.get(id), after, [...path, { id }]);
  });
  return [...removed, ...rest];
}

/** Skips the common prefix and suffix, and compares the items between by index. */
function placed(before: readonly unknown[], after: readonly unknown[], path: readonly Step[]): Change[] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && sameJson(before[head], after[head])) head++;
  let tail = 0;
  while (tail < shorter - head && sameJson(before.at(-1 - tail), after.at(-1 - tail))) tail++;
  const old = before.slice(head, before.length - tail);
  const now = after.slice(head, after.length - tail);
  const changes: Change[] = [];
  for (let at = 0; at < Math.max(old.length, now.length); at++) {
    const step = [...path, head + at];
    if (at >= old.length) changes.push({ kind: "added", path: step, after: now[at] });
    else if (at >= now.length) changes.push({ kind: "removed", path: step, before: old[at] });
    else changes.push(...diffOf(old[at], now[at], step));
  }
  return changes;
}

/** Formats a path: `messages › 01a2…9f › content`. */
export function pathText(path: readonly Step[]): string {
  return path.map((step) => (typeof step === "object" ? step.id : String(step))).join(" › ");
}
