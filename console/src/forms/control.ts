import type { Path } from "./path";
import type { Schema } from "./schema";
import type { Shape } from "./shape";

/** One value of a form. An undefined value is left out of the request. */
export type ValueProps = {
  /** The property name, an item's label, or "" for the root value. */
  name: string;
  path: Path;
  value: unknown;
  onChange: (value: unknown) => void;
  required: boolean;
};

export type SchemaFieldProps = ValueProps & { schema: Schema };

/** The props of the control for one kind of value. */
export type ControlProps<K extends Shape["kind"] = Shape["kind"]> = ValueProps & {
  shape: Extract<Shape, { kind: K }>;
  label: string;
  hint: string;
};
