import { isRecord } from "./schema";

/** Where in a value: names of objects, indexes of lists. */
export type Path = readonly (string | number)[];

export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

/** For people: `filters[0].name`. */
export function pathText(path: Path): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`))
    .join("")
    .replace(/^\./, "");
}

export function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, part) => {
    if (Array.isArray(inner)) return typeof part === "number" ? (inner as unknown[])[part] : undefined;
    return isRecord(inner) && Object.hasOwn(inner, part) ? inner[part] : undefined;
  }, value);
}

/** A copy of `record` with one key changed, or taken out by undefined. The order of keys stays. */
export function withKey(record: unknown, key: string, value: unknown): Record<string, unknown> | undefined {
  const before = isRecord(record) ? Object.entries(record) : [];
  const known = before.some(([name]) => name === key);
  const after = known
    ? before.map(([name, each]) => [name, name === key ? value : each] as const)
    : [...before, [key, value] as const];
  const entries = after.filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries);
}

export function withItem(list: readonly unknown[], index: number, value: unknown): unknown[] {
  return list.map((each, at) => (at === index ? value : each));
}

export function withoutItem(list: readonly unknown[], index: number): unknown[] {
  return list.filter((_, at) => at !== index);
}

export function movedItem(list: readonly unknown[], from: number, to: number): unknown[] {
  const rest = withoutItem(list, from);
  return [...rest.slice(0, to), list[from], ...rest.slice(to)];
}
