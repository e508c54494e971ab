import type { ReactNode } from "react";

import { classes } from "../../kit";
import styles from "./server.module.css";

type WideTableProps = {
  label: string;
  /** Columns whose label starts with ">" are right-aligned (numbers). */
  heads: readonly string[];
  children: ReactNode;
};

/** A short table that scrolls sideways on narrow screens, also by keyboard. */
export function WideTable({ label, heads, children }: WideTableProps) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={styles.scroll} role="group" aria-label={label} tabIndex={0}>
      <table className={styles.table}>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} className={classes(head.startsWith(">") && styles.end)}>
                {head.replace(/^>/, "")}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
