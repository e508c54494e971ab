import { alternatives, ANYTHING, isRecord, resolved, typesOf, type Schema } from "./schema";

/**
 * What one place of a form is. Shapes are made a level at a time, when a place is shown, so that a schema that contains
 * itself is as deep as its value and no deeper.
 */
export type Shape = About & Kind;

export type Kind =
  | { kind: "text" }
  | { kind: "number"; integer: boolean }
  | { kind: "boolean" }
  | { kind: "choice"; options: readonly unknown[] }
  | { kind: "list"; items: Schema }
  | { kind: "messages" }
  | { kind: "object"; fields: readonly FieldOf[] }
  | { kind: "map"; values: Schema }
  | { kind: "union"; options: readonly Variant[] }
  | { kind: "json" };

export type About = {
  title: string;
  description: string;
  nullable: boolean;
  /** The schema's default. Null is none: LangGraph writes it at every key of a state. */
  fallback: unknown;
};

export type FieldOf = { name: string; required: boolean; schema: Schema };

export type Variant = { label: string; schema: Schema };

const MOST_NESTED = 8;

export function shapeOf(schema: Schema | boolean | undefined, root: Schema, name = "", nested = 0): Shape {
  const known = resolved(schema, root);
  const { options, nullable } = alternatives(known, root);
  const only = options.length === 1 ? options[0] : undefined;
  if (only !== undefined && nested < MOST_NESTED) {
    const inner = shapeOf(only, root, name, nested + 1);
    const about = aboutOf(known, inner.nullable || nullable);
    return {
      ...inner,
      ...about,
      title: about.title || inner.title,
      description: about.description || inner.description,
    };
  }
  const kind = options.length > 1 ? unionOf(options, root) : kindOf(known, root, name);
  return { ...aboutOf(known, nullable || typesOf(known).includes("null")), ...kind };
}

function aboutOf(schema: Schema, nullable: boolean): About {
  const { title = "", description = "", default: fallback } = schema;
  return { title, description, nullable, fallback: fallback ?? undefined };
}

function unionOf(options: readonly Schema[], root: Schema): Kind {
  const constants = options.map((option) => constantsOf(resolved(option, root)));
  if (constants.every((each) => each !== null)) return { kind: "choice", options: constants.flat() };
  return { kind: "union", options: options.map((schema) => ({ label: labelOf(schema, root), schema })) };
}

function kindOf(schema: Schema, root: Schema, name: string): Kind {
  const constants = constantsOf(schema);
  if (constants !== null) return { kind: "choice", options: constants };
  const types = typesOf(schema).filter((type) => type !== "null");
  if (types.length > 1) {
    const options = types.map((type) => ({ label: type, schema: { ...schema, type } }));
    return { kind: "union", options };
  }
  const [type = schema.properties ? "object" : undefined] = types;
  if (name === "messages" && (type === undefined || type === "array") && !plainItems(schema, root)) {
    return { kind: "messages" };
  }
  if (type === "string") return { kind: "text" };
  if (type === "number" || type === "integer") return { kind: "number", integer: type === "integer" };
  if (type === "boolean") return { kind: "boolean" };
  if (type === "array") return listOf(schema, root);
  if (type === "object") return objectOf(schema);
  return { kind: "json" };
}

function constantsOf(schema: Schema): unknown[] | null {
  if ("const" in schema) return [schema.const];
  return schema.enum ? [...schema.enum] : null;
}

function listOf(schema: Schema, root: Schema): Kind {
  if (schema.prefixItems !== undefined) return { kind: "json" };
  const items = isRecord(schema.items) ? schema.items : ANYTHING;
  return areMessages(items, root) ? { kind: "messages" } : { kind: "list", items };
}

function objectOf({ properties, required = [], additionalProperties }: Schema): Kind {
  const names = Object.entries(properties ?? {});
  if (names.length > 0) {
    const fields = names.map(([name, schema]) => ({
      name,
      required: required.includes(name),
      schema: typeof schema === "boolean" ? ANYTHING : schema,
    }));
    return { kind: "object", fields };
  }
  return isRecord(additionalProperties) ? { kind: "map", values: additionalProperties } : { kind: "json" };
}

/** LangChain's messages are a choice of a dozen classes, of which people want to write three. */
function areMessages(items: Schema, root: Schema): boolean {
  const titles = alternatives(resolved(items, root), root).options.map((each) => resolved(each, root).title);
  return titles.includes("HumanMessage") && titles.includes("AIMessage");
}

/** Whether a list called `messages` says itself that it holds something else. */
function plainItems(schema: Schema, root: Schema): boolean {
  const items = resolved(schema.items, root);
  return !areMessages(items, root) && typesOf(items).some((type) => type !== "object" && type !== "null");
}

/** A name for a variant: its title, or what it holds. */
function labelOf(schema: Schema, root: Schema, nested = 0): string {
  const known = resolved(schema, root);
  if (known.title !== undefined && known.title !== "") return known.title;
  if ("const" in known) return JSON.stringify(known.const);
  const types = typesOf(known);
  if (types[0] === "array" && isRecord(known.items) && nested < 2)
    return `list of ${labelOf(known.items, root, nested + 1)}`;
  return types.length > 0 ? types.join(" or ") : "anything";
}
