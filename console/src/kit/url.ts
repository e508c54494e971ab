import { useCallback } from "react";
import { useSearchParams } from "react-router";

type Given = string | readonly string[] | null | undefined;

/** The query of the page's URL, where filters, tabs and selections live, so that a reload or a link shows the same. */
export type UrlState = {
  /** One value, or "". */
  get: (name: string) => string;
  /** All values of a name: `?status=error&status=timeout`. */
  all: (name: string) => string[];
  /** Changes some names; "", null and empty lists go away. `push` makes a step that Back undoes. */
  set: (changes: Record<string, Given>, options?: { push?: boolean }) => void;
};

export function useUrl(): UrlState {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (changes: Record<string, Given>, { push = false }: { push?: boolean } = {}) => {
      setParams((before) => changed(before, changes), { replace: !push, preventScrollReset: true });
    },
    [setParams],
  );
  const get = useCallback((name: string) => params.get(name) ?? "", [params]);
  const all = useCallback((name: string) => params.getAll(name), [params]);
  return { get, all, set };
}

/** One of `allowed` from the URL, else the first of them. */
export function oneOf<T extends string>(allowed: readonly [T, ...T[]], value: string): T {
  return allowed.find((each) => each === value) ?? allowed[0];
}

export function changed(before: URLSearchParams, changes: Record<string, Given>): URLSearchParams {
  const after = new URLSearchParams(before);
  for (const [name, value] of Object.entries(changes)) {
    after.delete(name);
    for (const each of typeof value === "string" ? [value] : (value ?? [])) if (each !== "") after.append(name, each);
  }
  return after;
}
