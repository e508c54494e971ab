import { Draft } from "./draft";
import { problemsOf } from "./problems";
import { typeName, typesOf, resolved, type Schema } from "./schema";
import type { Variant } from "./shape";

/** Which of the variants a value is: one that it fits, else the one of its type, else the first. */
export function variantOf(value: unknown, variants: readonly Variant[], root: Schema): number {
  if (value instanceof Draft) return draftOf(variants, root);
  const fitting = variants.findIndex(({ schema }) => problemsOf(value, schema, root).length === 0);
  if (fitting >= 0) return fitting;
  const type = typeName(value);
  const alike = variants.findIndex(({ schema }) => {
    const types = typesOf(resolved(schema, root));
    return types.includes(type) || (type === "integer" && types.includes("number"));
  });
  return Math.max(alike, 0);
}

/** A draft is of a number, or of JSON: of what takes text, there are no drafts. */
function draftOf(variants: readonly Variant[], root: Schema): number {
  const index = variants.findIndex(({ schema }) => !typesOf(resolved(schema, root)).includes("string"));
  return Math.max(index, 0);
}
