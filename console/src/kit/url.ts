import { useCallback } from "react";
import { useSearchParams } from "react-router";

type Value = string | readonly string[] | null | undefined;

/** The query of the URL. It holds filters, tabs and selections so that reloads and links restore the view. */
export type UrlState = {
  /** One value, or "". */
  get: (name: string) => string;
  /** All values of a name: `?status=error&status=timeout`. */
  all: (name: string) => string[];
  /** Change some parameters; "", null and empty lists remove them. `push` adds a history entry. */
  set: (changes: Record<string, Value>, options?: { push?: boolean }) => void;
};

export function useUrl(): UrlState {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (changes: Record<string, Value>, { push = false }: { push?: boolean } = {}) => {
      setParams((before) => changed(before, changes), { replace: !push, preventScrollReset: true });
    },
    [setParams],
  );
  const get = useCallback((name: string) => params.get(name) ?? "", [params]);
  const all = useCallback((name: string) => params.getAll(name), [params]);
  return { get, all, set };
}

/** Return the value if allowed, else the first allowed one. */
export function oneOf<T extends string>(allowed: readonly [T, ...T[]], value: string): T {
  return allowed.find((each) => each === value) ?? allowed[0];
}

export function changed(before: URLSearchParams, changes: Record<string, Value>): URLSearchParams {
  const after = new URLSearchParams(before);
  for (const [name, value] of Object.entries(changes)) {
    after.delete(name);
    for (const each of typeof value === "string" ? [value] : (value ?? [])) if (each !== "") after.append(name, each);
  }
  return after;
}
