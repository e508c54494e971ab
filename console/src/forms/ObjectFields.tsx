import { Button } from "../kit";
import { NestedField, useProblem, useRoot } from "./context";
import styles from "./forms.module.css";
import { initial } from "./initial";
import { withKey } from "./path";
import type { ControlProps } from "./control";
import { isRecord, type Schema } from "./schema";
import { FieldGroup } from "./FieldGroup";

/** The places of an object. A nested one that is not given has no places yet: so a schema in itself ends. */
export function ObjectFields(props: ControlProps<"object">) {
  const { label, hint, path, value, onChange, required, shape } = props;
  const root = useRoot();
  const error = useProblem(path);
  const nested = path.length > 0;
  if (nested && value === undefined) {
    const schema: Schema = {
      type: "object",
      properties: Object.fromEntries(shape.fields.map((field) => [field.name, field.schema])),
      required: shape.fields.filter((field) => field.required).map((field) => field.name),
    };
    return (
      <FieldGroup {...{ label, hint, error, required }} aside={<span className={styles.faint}>not given</span>}>
        <Button small icon="plus" aria-label={`Give ${label}`} onClick={() => onChange(initial(schema, root))}>
          Give it
        </Button>
      </FieldGroup>
    );
  }
  const places = <Properties {...props} />;
  return nested ? (
    <FieldGroup {...{ label, hint, error, required }}>
      <div className={styles.nested}>{places}</div>
    </FieldGroup>
  ) : (
    <div className={styles.places}>{places}</div>
  );
}

function Properties({ path, value, onChange, shape }: ControlProps<"object">) {
  const held = isRecord(value) ? value : {};
  const names = new Set(shape.fields.map((field) => field.name));
  const more = Object.keys(held).filter((name) => !names.has(name));
  return (
    <>
      {shape.fields.map(({ name, schema, required }) => (
        <NestedField
          key={name}
          {...{ name, schema, required }}
          path={[...path, name]}
          value={held[name]}
          onChange={(next) => onChange(withKey(held, name, next))}
        />
      ))}
      {/* What the schema does not name is there all the same: it came from JSON, and is sent. */}
      {more.map((name) => (
        <NestedField
          key={name}
          name={name}
          schema={{}}
          required={false}
          path={[...path, name]}
          value={held[name]}
          onChange={(next) => onChange(withKey(held, name, next))}
        />
      ))}
    </>
  );
}
