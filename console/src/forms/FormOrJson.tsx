import { useState, type ReactNode } from "react";

import { classes, Field, Notice, parseJson, Segments } from "../kit";
import { Draft, hasDrafts, readJson, written } from "./draft";
import styles from "./forms.module.css";
import { pathText } from "./path";
import { problemsOf, type Problem } from "./problems";
import { SchemaForm } from "./SchemaForm";
import type { Schema } from "./schema";

type Way = "form" | "json";

const WAYS: readonly { value: Way; label: string }[] = [
  { value: "form", label: "Form" },
  { value: "json", label: "JSON" },
];

type FormOrJsonProps = {
  /** What the value is: "Input". */
  label: string;
  /** Null: there is none, so there is JSON only. */
  schema: Schema | null;
  value: unknown;
  onChange: (value: unknown) => void;
  way: Way;
  onWay: (way: Way) => void;
  showMissing?: boolean;
  more?: readonly Problem[];
  actions?: ReactNode;
};

/** One value as a form or as JSON, whichever suits: the other shows the same. Text that is no JSON stays in the JSON. */
export function FormOrJson(props: FormOrJsonProps) {
  const { label, schema, value, onChange, onWay, actions } = props;
  const broken = value instanceof Draft;
  const way = schema === null || broken ? "json" : props.way;
  return (
    <div className={styles.either}>
      <div className={styles.head}>
        <h3>{label}</h3>
        <div className={styles.line}>
          {actions}
          {schema !== null && <Segments label={`${label} as`} options={WAYS} value={way} onChange={onWay} />}
        </div>
      </div>
      {way === "form" && schema !== null ? (
        <SchemaForm
          {...{ schema, value, onChange }}
          showMissing={props.showMissing ?? false}
          {...(props.more ? { more: props.more } : {})}
        />
      ) : (
        <AsJson {...props} />
      )}
    </div>
  );
}

function AsJson({ label, schema, value, onChange, more = [] }: FormOrJsonProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed !== null && written(readJson(typed)) === written(value) ? typed : written(value);
  const parsed = parseJson(text);
  const error = parsed.ok ? null : parsed.message;
  const problems = schema === null || hasDrafts(value) ? more : [...problemsOf(value, schema, schema), ...more];
  return (
    <>
      <Field label={`${label} as JSON`} hideLabel error={error}>
        {(tie) => (
          <textarea
            {...tie}
            className={classes(tie.className, styles.json)}
            rows={Math.min(30, Math.max(6, text.split("\n").length))}
            spellCheck={false}
            value={text}
            onChange={(event) => {
              setTyped(event.target.value);
              onChange(readJson(event.target.value));
            }}
          />
        )}
      </Field>
      {error === null && problems.length > 0 && (
        <Notice>
          {problems
            .slice(0, 4)
            .map(({ path, message }) => `${pathText(path) || label} ${message}`)
            .join("; ")}
        </Notice>
      )}
    </>
  );
}
