import { Field, Segments } from "../kit";
import { useProblem } from "./context";
import styles from "./forms.module.css";
import type { ControlProps } from "./control";

const UNSET = "";
/** So many characters are seen at once, on narrow screens too; more are behind a list. */
const MOST_SEEN = 28;

/** One of constants, of any type: each is known by its JSON. */
export function ChoiceField({ label, hint, path, value, onChange, required, shape }: ControlProps<"choice">) {
  const error = useProblem(path);
  const given = value === undefined ? UNSET : JSON.stringify(value);
  const known = [...shape.options, ...(shape.nullable && !shape.options.includes(null) ? [null] : [])];
  const options = known.map((each) => ({
    value: JSON.stringify(each),
    label: typeof each === "string" ? each : JSON.stringify(each),
  }));
  // What is not among them came from JSON; it is shown, with its error, rather than dropped.
  const strange =
    given !== UNSET && !options.some((each) => each.value === given) ? [{ value: given, label: given }] : [];
  const unset =
    required && given !== UNSET
      ? []
      : [{ value: UNSET, label: shape.fallback === undefined ? "not given" : "default" }];
  const all = [...unset, ...options, ...strange];
  const take = (chosen: string) => onChange(chosen === UNSET ? undefined : (JSON.parse(chosen) as unknown));
  const short = all.reduce((length, each) => length + each.label.length, 0) <= MOST_SEEN;
  return (
    <Field {...{ label, hint: hint || undefined, error, required }}>
      {(tie) =>
        short ? (
          <div id={tie.id} aria-describedby={tie["aria-describedby"]} className={styles.line}>
            <Segments label={label} options={all} value={given} onChange={take} />
          </div>
        ) : (
          <select {...tie} value={given} onChange={(event) => take(event.target.value)}>
            {all.map((each) => (
              <option key={each.value} value={each.value}>
                {each.label}
              </option>
            ))}
          </select>
        )
      }
    </Field>
  );
}
