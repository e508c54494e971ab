import type { ReactNode } from "react";

import { Button } from "./Button";
import { SearchField } from "./Field";
import { Toolbar } from "./layout";
import styles from "./listBars.module.css";
import { useDebouncedText } from "./useDebouncedText";

type FilterBarProps = {
  /** What may be written into the search field, as its label. */
  hint: string;
  text: string;
  onText: (text: string) => void;
  /** What is wrong with the text. */
  error?: string | null;
  /** Other filters. */
  children?: ReactNode;
};

/** The filters of a list: the search field, told after a pause in typing, and what stands beside it. */
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

/** What can be done with the selected rows; it stands where the filters were. */
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
