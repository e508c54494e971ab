import type { Schema } from "./schema";
import { shapeOf } from "./shape";

const DEEPEST = 6;

/**
 * The value that a form begins with: defaults, and the required places, empty where they need an answer. What is optional and
 * has no default is left out. A required place that contains itself ends after a few levels.
 */
export function initial(schema: Schema | boolean | undefined, root: Schema, depth = 0): unknown {
  const shape = shapeOf(schema, root);
  if (shape.fallback !== undefined) return shape.fallback;
  if (depth >= DEEPEST) return undefined;
  switch (shape.kind) {
    case "object": {
      const entries = shape.fields
        .map(({ name, required, schema: inner }) => [
          name,
          required ? initial(inner, root, depth + 1) : given(inner, root),
        ])
        .filter(([, value]) => value !== undefined);
      return Object.fromEntries(entries) as Record<string, unknown>;
    }
    case "choice":
      return shape.options.length === 1 ? shape.options[0] : undefined;
    case "map":
      return {};
    case "list":
      return [];
    default:
      return undefined;
  }
}

/** What a list gets when an item is added, or a union when it turns to a variant: never undefined, it must be there to be seen. */
export function blank(schema: Schema | boolean | undefined, root: Schema): unknown {
  const value = initial(schema, root);
  if (value !== undefined) return value;
  const shape = shapeOf(schema, root);
  switch (shape.kind) {
    case "text":
      return "";
    case "number":
      return 0;
    case "boolean":
      return false;
    case "choice":
      return shape.options[0] ?? null;
    case "messages":
      return [];
    case "union":
      return shape.options[0] ? blank(shape.options[0].schema, root) : null;
    default:
      return null;
  }
}

function given(schema: Schema, root: Schema): unknown {
  return shapeOf(schema, root).fallback;
}
