import { useState } from "react";

import { Button, TextField } from "../kit";
import { NestedField, useProblem, useRoot } from "./context";
import styles from "./forms.module.css";
import { blank } from "./initial";
import { withKey } from "./path";
import type { ControlProps } from "./control";
import { isRecord } from "./schema";
import { FieldGroup } from "./FieldGroup";

/** An object with keys of the user's own and values of one kind. */
export function MapField({ label, hint, path, value, onChange, required, shape }: ControlProps<"map">) {
  const root = useRoot();
  const error = useProblem(path);
  const [key, setKey] = useState("");
  const held = isRecord(value) ? value : {};
  const taken = Object.hasOwn(held, key);
  const add = () => {
    if (key === "" || taken) return;
    onChange(withKey(held, key, blank(shape.values, root)));
    setKey("");
  };
  return (
    <FieldGroup {...{ label, hint, error, required }}>
      <div className={styles.nested}>
        {Object.entries(held).map(([name, each]) => (
          <NestedField
            key={name}
            name={name}
            schema={shape.values}
            required={false}
            path={[...path, name]}
            value={each}
            onChange={(next) => onChange(withKey(held, name, next))}
          />
        ))}
        <div className={styles.line}>
          <TextField
            label={`New key of ${label}`}
            hideLabel
            code
            placeholder="key"
            value={key}
            onChange={setKey}
            error={taken ? "There already" : null}
            onKeyDown={(event) => {
              if (event.key !== "Enter") return;
              // Enter is for this key, not for the form around.
              event.preventDefault();
              add();
            }}
          />
          <Button small icon="plus" aria-label={`Add to ${label}`} disabled={key === "" || taken} onClick={add}>
            Add
          </Button>
        </div>
      </div>
    </FieldGroup>
  );
}
