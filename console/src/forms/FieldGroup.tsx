import { useId, type ReactNode } from "react";

import styles from "./forms.module.css";

type WholeProps = {
  label: string;
  hint: string;
  error: string | null;
  required: boolean;
  /** Beside the name. */
  aside?: ReactNode;
  children: ReactNode;
};

/** A name around several controls: a list, an object. */
export function FieldGroup({ label, hint, error, required, aside, children }: WholeProps) {
  const id = useId();
  return (
    <div role="group" aria-labelledby={id} className={styles.whole}>
      <div className={styles.head}>
        <span id={id} className={styles.name}>
          {label}
          {required && (
            <span className={styles.required} aria-hidden="true">
              {" "}
              *
            </span>
          )}
        </span>
        {aside}
      </div>
      {hint !== "" && <div className={styles.hint}>{hint}</div>}
      {error !== null && (
        <div className={styles.error} role="alert">
          {error}
        </div>
      )}
      {children}
    </div>
  );
}
