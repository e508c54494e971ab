import type { ReactNode } from "react";

import { Button, classes, IconButton } from "../kit";
import { ChoiceField } from "./ChoiceField";
import { useRoot } from "./context";
import type { SchemaFieldProps, ValueProps } from "./control";
import styles from "./forms.module.css";
import { Draft } from "./draft";
import { blank } from "./initial";
import { JsonField } from "./JsonField";
import { ListField } from "./ListField";
import { MapField } from "./MapField";
import { MessagesField } from "./MessagesField";
import { ObjectFields } from "./ObjectFields";
import { NumberField, TextControl } from "./ScalarFields";
import { isRecord, type Schema } from "./schema";
import { shapeOf, type Shape } from "./shape";
import { UnionField } from "./UnionField";

export function SchemaField({ schema, ...place }: SchemaFieldProps) {
  const root = useRoot();
  const shape = shapeOf(schema, root, place.name);
  const { value, onChange, required } = place;
  // A choice has "not given" among its options.
  const chooses = shape.kind === "choice" || shape.kind === "boolean";
  const removable =
    !required && !chooses && value !== undefined && place.name !== "" && typeof place.path.at(-1) === "string";
  return (
    <div className={styles.place}>
      <div className={styles.control}>{controlOf(shape, schema, place)}</div>
      {(removable || (shape.nullable && !chooses && value !== null)) && (
        <div className={styles.tools}>
          {shape.nullable && value !== null && (
            <Button
              small
              kind="quiet"
              title="Set to null"
              aria-label={`Set ${place.name} to null`}
              onClick={() => onChange(null)}
            >
              null
            </Button>
          )}
          {removable && (
            <IconButton small icon="close" label={`Leave out ${place.name}`} onClick={() => onChange(undefined)} />
          )}
        </div>
      )}
    </div>
  );

  function controlOf(known: Shape, from: Schema, given: ValueProps): ReactNode {
    const props = { ...given, label: given.name || known.title || "value", hint: hintOf(known) };
    if (given.value === null && known.nullable && known.kind !== "choice" && known.kind !== "json") {
      return <Null {...props} onFill={() => given.onChange(blank(from, root))} />;
    }
    // A value that the control could not show whole is edited as JSON: nothing of it may be lost.
    if (!shows(known, given.value)) return <JsonField {...props} shape={{ ...known, kind: "json" }} />;
    switch (known.kind) {
      case "text":
        return <TextControl {...props} shape={known} />;
      case "number":
        return <NumberField {...props} shape={known} />;
      case "boolean":
        return <ChoiceField {...props} shape={{ ...known, kind: "choice", options: [true, false] }} />;
      case "choice":
        return <ChoiceField {...props} shape={known} />;
      case "list":
        return <ListField {...props} shape={known} />;
      case "messages":
        return <MessagesField {...props} shape={known} />;
      case "object":
        return <ObjectFields {...props} shape={known} />;
      case "map":
        return <MapField {...props} shape={known} />;
      case "union":
        return <UnionField {...props} shape={known} />;
      case "json":
        return <JsonField {...props} shape={known} />;
    }
  }
}

function Null({ label, onFill }: { label: string; onFill: () => void }) {
  return (
    <div className={styles.whole}>
      <span className={styles.name}>{label}</span>
      <span className={styles.line}>
        <code className={classes(styles.null)}>null</code>
        <Button small onClick={onFill} aria-label={`Give ${label} a value`}>
          Give a value
        </Button>
      </span>
    </div>
  );
}

/** Whether the control of a shape can show a value; lists and objects show what they hold each by itself. */
function shows({ kind }: Shape, value: unknown): boolean {
  if (value === undefined || kind === "json" || kind === "union" || kind === "choice" || kind === "boolean")
    return true;
  if (kind === "text") return typeof value === "string";
  if (kind === "number") return typeof value === "number" || value instanceof Draft;
  if (value instanceof Draft) return false;
  if (kind === "list" || kind === "messages") return Array.isArray(value);
  return isRecord(value);
}

/** The first paragraph of what the schema says, and the default. */
function hintOf({ description, fallback }: Shape): string {
  const said = (description.split("\n\n")[0] ?? "").replaceAll(/\s+/g, " ").trim();
  if (fallback === undefined) return said;
  return `${said}${said === "" ? "" : " "}Default: ${fallbackText(fallback)}`;
}

function fallbackText(fallback: unknown): string {
  const text = JSON.stringify(fallback);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
