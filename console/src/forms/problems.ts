import { Draft } from "./draft";
import type { Path } from "./path";
import { alternatives, isRecord, resolved, typeName, typesOf, type Schema } from "./schema";
import { shapeOf } from "./shape";

/** What is wrong with a value, and where. `missing`: nothing is there yet, which need not be said while one still types. */
export type Problem = { path: Path; message: string; missing: boolean };

const MOST_NESTED = 8;

/** What in `value` does not fit the schema; empty if it does. Undefined is not looked at: it is left out. */
export function problemsOf(value: unknown, schema: Schema | boolean | undefined, root: Schema): Problem[] {
  return value === undefined ? [] : check(value, schema, root, []);
}

/** `nested`: how many choices were gone into at this same place. A choice that holds itself has nothing to say. */
function check(value: unknown, schema: Schema | boolean | undefined, root: Schema, path: Path, nested = 0): Problem[] {
  if (nested > MOST_NESTED) return [];
  if (value instanceof Draft) return [wrong(path, draftMessage(value, schema, root))];
  const known = resolved(schema, root);
  const name = path.at(-1);
  if (shapeOf(known, root, typeof name === "string" ? name : "").kind === "messages")
    return messageProblems(value, known, path);
  const choice = alternatives(known, root);
  if (choice.options.length > 0 || choice.nullable) {
    return oneOfThem(value, choice, (option) => check(value, option, root, path, nested + 1), root, path);
  }
  if ("const" in known) return same(value, known.const) ? [] : [wrong(path, `must be ${JSON.stringify(known.const)}`)];
  if (known.enum && !known.enum.some((each) => same(value, each)))
    return [wrong(path, `must be ${listed(known.enum)}`)];
  const types = typesOf(known);
  if (types.length > 0 && !types.some((type) => fits(value, type))) return [wrong(path, `must be ${named(types)}`)];
  if (typeof value === "string") return textProblems(value, known, path);
  if (typeof value === "number") return numberProblems(value, known, path);
  if (Array.isArray(value)) return listProblems(value, known, root, path);
  if (isRecord(value)) return objectProblems(value, known, root, path);
  return [];
}

function draftMessage({ text }: Draft, schema: Schema | boolean | undefined, root: Schema): string {
  if (shapeOf(schema, root).kind === "number") return "must be a number";
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `is not valid JSON: ${error instanceof Error ? error.message : ""}`;
  }
}

/** Of several schemas none of which fits, the one that comes nearest has its problems told. */
function oneOfThem(
  value: unknown,
  { options, nullable }: { options: readonly Schema[]; nullable: boolean },
  checked: (option: Schema) => Problem[],
  root: Schema,
  path: Path,
): Problem[] {
  if (value === null && nullable) return [];
  let nearest: Problem[] | null = null;
  for (const option of options) {
    const found = checked(option);
    if (found.length === 0) return [];
    if (nearest === null || nearness(found, path) > nearness(nearest, path)) nearest = found;
  }
  if (nearest === null) return [wrong(path, "must be null")];
  if (options.length === 1 || nearest.some((each) => each.path.length > path.length)) return nearest;
  return [wrong(path, `must be ${named(options.flatMap((each) => typesOf(resolved(each, root))))}`)];
}

function nearness(found: readonly Problem[], path: Path): number {
  const inside = found.every((each) => each.path.length > path.length);
  return (inside ? 1000 : 0) - found.length;
}

function textProblems(value: string, schema: Schema, path: Path): Problem[] {
  const { minLength, maxLength, pattern } = schema;
  if (minLength !== undefined && value.length < minLength) {
    const message = value === "" ? "must not be empty" : `must have at least ${minLength} characters`;
    return [{ path, message, missing: value === "" }];
  }
  if (maxLength !== undefined && value.length > maxLength)
    return [wrong(path, `must have at most ${maxLength} characters`)];
  return pattern !== undefined && !matches(value, pattern) ? [wrong(path, `must match ${pattern}`)] : [];
}

/** Python's patterns are not all ours: one that cannot be read here is left to the server. */
function matches(value: string, pattern: string): boolean {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    return true;
  }
}

function numberProblems(value: number, schema: Schema, path: Path): Problem[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (minimum !== undefined && value < minimum) return [wrong(path, `must be at least ${minimum}`)];
  if (maximum !== undefined && value > maximum) return [wrong(path, `must be at most ${maximum}`)];
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
    return [wrong(path, `must be more than ${exclusiveMinimum}`)];
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum)
    return [wrong(path, `must be less than ${exclusiveMaximum}`)];
  const rest = multipleOf === undefined ? 0 : value / multipleOf;
  return Math.abs(rest - Math.round(rest)) > 1e-9 ? [wrong(path, `must be a multiple of ${multipleOf ?? 1}`)] : [];
}

function listProblems(value: readonly unknown[], schema: Schema, root: Schema, path: Path): Problem[] {
  const { minItems, maxItems, uniqueItems, items, prefixItems = [] } = schema;
  const found = value.flatMap((each, index) => check(each, prefixItems[index] ?? items, root, [...path, index]));
  if (minItems !== undefined && value.length < minItems)
    found.push(wrong(path, `must have at least ${minItems} items`));
  if (maxItems !== undefined && value.length > maxItems) found.push(wrong(path, `must have at most ${maxItems} items`));
  const twice = uniqueItems === true && new Set(value.map((each) => JSON.stringify(each))).size < value.length;
  return twice ? [...found, wrong(path, "must not hold an item twice")] : found;
}

function objectProblems(value: Record<string, unknown>, schema: Schema, root: Schema, path: Path): Problem[] {
  const { properties = {}, required = [], additionalProperties } = schema;
  const missing = required
    .filter((name) => value[name] === undefined)
    .map((name) => ({ path: [...path, name], message: "is required", missing: true }));
  const found = Object.entries(value).flatMap(([name, each]) => {
    const known = Object.hasOwn(properties, name);
    if (each === undefined) return [];
    if (!known && additionalProperties === false) return [wrong([...path, name], "is not known here")];
    // The default of a place is always taken, also where LangGraph's null does not fit the type beside it.
    if (known && each === null && defaultsToNull(resolved(properties[name], root))) return [];
    return check(each, known ? properties[name] : additionalProperties, root, [...path, name]);
  });
  return [...missing, ...found];
}

function defaultsToNull(schema: Schema): boolean {
  return "default" in schema && schema.default === null;
}

/** The server reads messages in more ways than their schema says: text, pairs, `role` for `type`. Only what no way reads is wrong. */
function messageProblems(value: unknown, schema: Schema, path: Path): Problem[] {
  if (value === null && defaultsToNull(schema)) return [];
  if (isRecord(value) || typeof value === "string") return [];
  if (!Array.isArray(value)) return [wrong(path, "must be a list of messages")];
  return value.flatMap((each, index) => {
    if (each instanceof Draft) return [wrong([...path, index], "is not valid JSON")];
    if (!isRecord(each))
      return typeof each === "string" || Array.isArray(each) ? [] : [wrong([...path, index], "must be a message")];
    if (each.content instanceof Draft) return [wrong([...path, index, "content"], "is not valid JSON")];
    if (each.type === "tool" && !each.tool_call_id) {
      return [{ path: [...path, index, "tool_call_id"], message: "is required", missing: true }];
    }
    return [];
  });
}

function fits(value: unknown, type: string): boolean {
  const name = typeName(value);
  return name === type || (type === "number" && name === "integer");
}

const ARTICLES: Record<string, string> = {
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  null: "null",
};

function named(types: readonly string[]): string {
  return [...new Set(types.map((type) => ARTICLES[type] ?? type))].join(" or ") || "something else";
}

function listed(values: readonly unknown[]): string {
  const shown = values.slice(0, 8).map((each) => JSON.stringify(each));
  return `one of ${shown.join(", ")}${values.length > shown.length ? ", …" : ""}`;
}

function same(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

function wrong(path: Path, message: string): Problem {
  return { path, message, missing: false };
}
