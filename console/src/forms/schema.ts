/** JSON schema, as far as pydantic and people write it. `true` and `{}` allow anything. */
export type Schema = {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema | boolean>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema | boolean;
  readonly prefixItems?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly nullable?: boolean;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
};

export type TypeName = "string" | "number" | "integer" | "boolean" | "array" | "object" | "null";

/** What a schema with nothing in it says. */
export const ANYTHING: Schema = {};

/**
 * A schema without `$ref` and `allOf` at its top: what is referred to, with what stands beside it in force. A reference that
 * leads to itself, or nowhere, allows anything.
 */
export function resolved(schema: Schema | boolean | undefined, root: Schema): Schema {
  return follow(schema, root, new Set());
}

function follow(schema: Schema | boolean | undefined, root: Schema, seen: ReadonlySet<string>): Schema {
  if (schema === undefined || typeof schema === "boolean") return ANYTHING;
  const { $ref, allOf, ...rest } = schema;
  if ($ref !== undefined) {
    if (seen.has($ref)) return rest;
    return { ...follow(target($ref, root), root, new Set([...seen, $ref])), ...rest };
  }
  if (allOf !== undefined) return merged([...allOf.map((each) => follow(each, root, seen)), rest]);
  return schema;
}

function target(ref: string, root: Schema): Schema | undefined {
  if (!ref.startsWith("#")) return undefined;
  let at: unknown = root;
  for (const part of ref.slice(1).split("/").filter(Boolean)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (!isRecord(at)) return undefined;
    at = at[key];
  }
  return isRecord(at) ? at : undefined;
}

function merged(parts: readonly Schema[]): Schema {
  return parts.reduce<Schema>((whole, each) => {
    const required = [...new Set([...(whole.required ?? []), ...(each.required ?? [])])];
    const properties = { ...whole.properties, ...each.properties };
    return {
      ...whole,
      ...each,
      ...(required.length > 0 ? { required } : {}),
      ...(Object.keys(properties).length > 0 ? { properties } : {}),
    };
  }, {});
}

/** The types that a schema without `$ref` names. */
export function typesOf({ type, nullable }: Schema): string[] {
  const named = type === undefined ? [] : typeof type === "string" ? [type] : [...type];
  return nullable === true && named.length > 0 ? [...named, "null"] : named;
}

/** The schemas of which a value must fit one, without those that only stand for null. */
export function alternatives(schema: Schema, root: Schema): { options: Schema[]; nullable: boolean } {
  const all = (schema.anyOf ?? schema.oneOf ?? []).map((each) => ({ each, known: resolved(each, root) }));
  const options = all.filter(({ known }) => !isNull(known)).map(({ each }) => each);
  return { options, nullable: options.length < all.length };
}

function isNull(schema: Schema): boolean {
  const types = typesOf(schema);
  return (types.length === 1 && types[0] === "null") || ("const" in schema && schema.const === null);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function typeName(value: unknown): TypeName {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  if (typeof value === "string") return "string";
  return typeof value === "boolean" ? "boolean" : "object";
}
