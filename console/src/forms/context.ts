import { createContext, useContext, type ReactNode } from "react";

import type { SchemaFieldProps } from "./control";
import { pathKey, pathText, type Path } from "./path";
import type { Problem } from "./problems";
import type { Schema } from "./schema";

type Form = {
  root: Schema;
  problems: readonly Problem[];
  showMissing: boolean;
  renderField: (props: SchemaFieldProps) => ReactNode;
};

export const FormContext = createContext<Form>({ root: {}, problems: [], showMissing: false, renderField: () => null });

/** A field inside a list, object or union. It goes through the context because these controls and SchemaField recurse. */
export function NestedField(props: SchemaFieldProps): ReactNode {
  return useContext(FormContext).renderField(props);
}

export function useRoot(): Schema {
  return useContext(FormContext).root;
}

/** The problem to show at `path`; with `below` also problems of nested values, for controls that show no nested fields. */
export function useProblem(path: Path, below = false): string | null {
  const { problems, showMissing } = useContext(FormContext);
  const key = pathKey(path);
  const problem = problems.find((each) => {
    if (each.missing && !showMissing) return false;
    return pathKey(each.path) === key || (below && pathKey(each.path.slice(0, path.length)) === key);
  });
  if (problem === undefined) return null;
  const inside = pathText(problem.path.slice(path.length));
  const text = inside === "" ? problem.message : `${inside} ${problem.message}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
