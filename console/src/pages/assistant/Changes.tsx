import { classes } from "../../kit";
import { pathText, type Change } from "../thread/diff";
import styles from "./changes.module.css";

/** Differences, a path each, with what was there in front of what is there. */
export function Changes({ changes }: { changes: readonly Change[] }) {
  if (changes.length === 0) return <p className="muted">They are the same.</p>;
  return (
    <ul className={styles.changes}>
      {changes.map((change) => (
        <li key={pathText(change.path)}>
          <div className={styles.path}>
            {pathText(change.path)} <span className="muted">{change.kind}</span>
          </div>
          {"before" in change && <Side sign="−" value={change.before} />}
          {"after" in change && <Side sign="+" value={change.after} />}
        </li>
      ))}
    </ul>
  );
}

function Side({ sign, value }: { sign: "+" | "−"; value: unknown }) {
  return (
    <pre className={classes(styles.side, sign === "+" ? styles.after : styles.before)}>
      <span aria-label={sign === "+" ? "after" : "before"}>{sign}</span> {JSON.stringify(value, null, 2)}
    </pre>
  );
}
