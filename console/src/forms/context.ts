import { createContext, useContext } from "react";

import { pathKey, pathText, type Path } from "./path";
import type { Problem } from "./problems";
import type { Schema } from "./schema";

type Form = { root: Schema; problems: readonly Problem[]; showMissing: boolean };

export const FormContext = createContext<Form>({ root: {}, problems: [], showMissing: false });

export function useRoot(): Schema {
  return useContext(FormContext).root;
}

/** What is to be said at a place; `below` also what is wrong somewhere in it, where the places inside have no controls. */
export function useProblem(path: Path, below = false): string | null {
  const { problems, showMissing } = useContext(FormContext);
  const key = pathKey(path);
  const found = problems.find((each) => {
    if (each.missing && !showMissing) return false;
    return pathKey(each.path) === key || (below && pathKey(each.path.slice(0, path.length)) === key);
  });
  if (found === undefined) return null;
  const inside = pathText(found.path.slice(path.length));
  const text = inside === "" ? found.message : `${inside} ${found.message}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
