import { useState } from "react";

import { resolved, shapeOf, type Schema, type Shape } from "../../forms";
import { classes, Icon } from "../../kit";
import styles from "./schema.module.css";

/** A schema as its fields: name, type, whether it is required, what it says. What contains itself opens as far as one likes. */
export function SchemaTree({ schema }: { schema: Schema }) {
  const places = placesOf(schema, schema);
  const { title, description } = resolved(schema, schema);
  return (
    <div className={styles.tree}>
      {title !== undefined && <div className={styles.title}>{title}</div>}
      {description !== undefined && <Description text={description} />}
      {places.length === 0 ? (
        <Place name="value" schema={schema} root={schema} required={false} />
      ) : (
        <ul>
          {places.map((place) => (
            <Place key={place.name} {...place} root={schema} />
          ))}
        </ul>
      )}
    </div>
  );
}

type PlaceProps = { name: string; schema: Schema; root: Schema; required: boolean };

function Place({ name, schema, root, required }: PlaceProps) {
  const [open, setOpen] = useState(false);
  const shape = shapeOf(schema, root, name);
  const inner = placesOf(schema, root);
  const label = (
    <>
      <span className={styles.name}>{name}</span>
      <span className={styles.type}>{typeText(schema, root, name)}</span>
      {required && <span className={styles.required}>required</span>}
      {shape.fallback !== undefined && <span className={styles.faint}>= {JSON.stringify(shape.fallback)}</span>}
    </>
  );
  return (
    <li>
      {inner.length === 0 ? (
        <div className={styles.row}>{label}</div>
      ) : (
        <button
          type="button"
          className={classes(styles.row, styles.toggle, open && styles.open)}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Icon name="right" size={12} />
          {label}
        </button>
      )}
      {shape.description !== "" && <Description text={shape.description} />}
      {open && (
        <ul>
          {inner.map((place) => (
            <Place key={place.name} {...place} root={root} />
          ))}
        </ul>
      )}
    </li>
  );
}

/** Docstrings are shown by their first paragraph. */
function Description({ text }: { text: string }) {
  return <div className={styles.said}>{text.split("\n\n")[0]}</div>;
}

type Inner = { name: string; schema: Schema; required: boolean };

/** The places inside: fields of an object, of a list's items, variants. */
function placesOf(schema: Schema, root: Schema): Inner[] {
  const shape = shapeOf(schema, root);
  switch (shape.kind) {
    case "object":
      return [...shape.fields];
    case "list":
      return holdsMore(shape.items, root) ? [{ name: "each item", schema: shape.items, required: false }] : [];
    case "map":
      return [{ name: "each value", schema: shape.values, required: false }];
    case "union":
      return shape.options.map((option) => ({ name: option.label, schema: option.schema, required: false }));
    default:
      return [];
  }
}

function holdsMore(schema: Schema, root: Schema): boolean {
  return ["object", "list", "map", "union"].includes(shapeOf(schema, root).kind);
}

function typeText(schema: Schema, root: Schema, name: string): string {
  const shape = shapeOf(schema, root, name);
  return shape.nullable ? `${kindText(shape, root)} or null` : kindText(shape, root);
}

function kindText(shape: Shape, root: Schema): string {
  switch (shape.kind) {
    case "text":
      return "text";
    case "number":
      return shape.integer ? "integer" : "number";
    case "choice":
      return shape.options.map((each) => JSON.stringify(each)).join(" | ");
    case "list":
      return `list of ${titled(shape.items, root)}`;
    case "messages":
      return "messages";
    case "object":
      return shape.title || "object";
    case "map":
      return `object of ${titled(shape.values, root)}`;
    case "union":
      return "one of";
    case "json":
      return "anything";
    default:
      return shape.kind;
  }
}

/** What is in a list, one level deep: a list of itself has no end. */
function titled(schema: Schema, root: Schema): string {
  const shape = shapeOf(schema, root);
  if (shape.kind === "list") return "lists";
  return shape.kind === "map" ? "objects" : kindText(shape, root);
}
