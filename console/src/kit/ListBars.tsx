import type { ReactNode } from "react";

import { Button } from "./Button";
import { SearchField } from "./Field";
import { Toolbar } from "./layout";
import styles from "./listBars.module.css";
import { useDebouncedText } from "./useDebouncedText";

type FilterBarProps = {
  /** The label of the search field: the supported terms. */
  hint: string;
  text: string;
  onText: (text: string) => void;
  /** The error of the search text. */
  error?: string | null;
  /** Other filters. */
  children?: ReactNode;
};

/** The filters of a list: a debounced search field and other controls. */
export function FilterBar({ hint, text, onText, error = null, children }: FilterBarProps) {
  const [typed, setTyped] = useDebouncedText(text, onText);
  return (
    <Toolbar label="Filters">
      <div className={styles.search}>
        <SearchField label={hint} value={typed} onChange={setTyped} />
      </div>
      {children}
      {error !== null && (
        <p className={styles.wrong} role="alert">
          {error}
        </p>
      )}
    </Toolbar>
  );
}

type SelectionBarProps = { what: string; count: number; onClear: () => void; children: ReactNode };

/** The actions for the selected rows, in place of the filters. */
export function SelectionBar({ what, count, onClear, children }: SelectionBarProps) {
  return (
    <Toolbar label={`Selected ${what}`}>
      <strong>{count} selected</strong>
      {children}
      <Button kind="quiet" icon="close" onClick={onClear}>
        Clear
      </Button>
    </Toolbar>
  );
}
