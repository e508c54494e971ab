import { Field } from "../kit";
import { NestedField, useProblem, useRoot } from "./context";
import styles from "./forms.module.css";
import { blank } from "./initial";
import type { ControlProps } from "./control";
import { variantOf } from "./variant";

const UNSET = "";

/** One of several kinds of value: which one, and then its control. */
export function UnionField(props: ControlProps<"union">) {
  const { label, hint, path, value, onChange, required, shape, name } = props;
  const root = useRoot();
  const error = useProblem(path);
  const chosen = value === undefined ? -1 : variantOf(value, shape.options, root);
  const variant = shape.options[chosen];
  const turn = (index: number) => {
    const option = shape.options[index];
    onChange(option === undefined ? undefined : blank(option.schema, root));
  };
  return (
    <div className={styles.whole}>
      <Field {...{ label: `${label}: kind`, hint: hint || undefined, error: variant ? null : error, required }}>
        {(tie) => (
          <select
            {...tie}
            value={chosen < 0 ? UNSET : String(chosen)}
            onChange={(event) => turn(event.target.value === UNSET ? -1 : Number(event.target.value))}
          >
            {(chosen < 0 || !required) && <option value={UNSET}>not given</option>}
            {shape.options.map((option, index) => (
              <option key={index} value={String(index)}>
                {option.label}
              </option>
            ))}
          </select>
        )}
      </Field>
      {variant !== undefined && (
        <div className={styles.nested}>
          <NestedField schema={variant.schema} {...{ name, path, value, onChange }} required />
        </div>
      )}
    </div>
  );
}
