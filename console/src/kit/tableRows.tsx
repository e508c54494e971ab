import { memo, type MouseEvent, type ReactElement } from "react";

import { classes } from "./classes";
import styles from "./table.module.css";
import type { Column, Selected, Sorting } from "./columns";

type HeadProps<T> = {
  columns: readonly Column<T>[];
  template: string;
  rows: readonly T[];
  rowKey: (row: T) => string;
  selection: Selected | undefined;
  sorting: { value: Sorting; onSort: (sorting: Sorting) => void } | undefined;
};

export function Head<T>({ columns, template, rows, rowKey, selection, sorting }: HeadProps<T>) {
  return (
    <div role="rowgroup">
      <div role="row" aria-rowindex={1} className={styles.head} style={{ gridTemplateColumns: template }}>
        {selection && <SelectAll rows={rows} rowKey={rowKey} selection={selection} />}
        {columns.map((column) => (
          <div
            key={column.key}
            role="columnheader"
            className={classes(styles.cell, column.align && styles.end)}
            aria-sort={sortOf(column, sorting?.value)}
          >
            {column.sort !== undefined && sorting ? (
              <button
                type="button"
                className={styles.sort}
                onClick={() => sorting.onSort(next(column.sort ?? "", sorting.value))}
              >
                {column.header}
                {sorting.value.by === column.sort ? (sorting.value.descending ? " ↓" : " ↑") : ""}
              </button>
            ) : (
              column.header
            )}
          </div>
        ))}
      </div>
    </div>
  );
}

function SelectAll<T>({
  rows,
  rowKey,
  selection,
}: {
  rows: readonly T[];
  rowKey: (row: T) => string;
  selection: Selected;
}) {
  const all = rows.length > 0 && rows.every((row) => selection.keys.has(rowKey(row)));
  const some = !all && selection.keys.size > 0;
  return (
    <div role="columnheader" className={styles.check}>
      <input
        type="checkbox"
        aria-label="Select all loaded rows"
        checked={all}
        ref={(box) => {
          if (box) box.indeterminate = some;
        }}
        onChange={() => selection.onChange(all ? new Set() : new Set(rows.map(rowKey)))}
      />
    </div>
  );
}

type RowProps<T> = {
  id: string;
  index: number;
  top: number;
  height: number;
  template: string;
  row: T;
  rowKey: string;
  columns: readonly Column<T>[];
  active: boolean;
  openable: boolean;
  /** Null if rows cannot be selected. */
  selected: boolean | null;
  onPress: (row: T, event: MouseEvent) => void;
  onToggle: (row: T, extend: boolean) => void;
};

function PlainRow<T>(props: RowProps<T>) {
  const { id, index, top, height, template, row, rowKey, columns, active, openable, selected, onPress, onToggle } =
    props;
  return (
    // The focused grid handles the keys.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
    <div
      id={id}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected ?? undefined}
      className={classes(styles.row, openable && styles.openable, active && styles.active, selected && styles.selected)}
      style={{ transform: `translateY(${top}px)`, height, gridTemplateColumns: template }}
      onClick={(event) => onPress(row, event)}
      onAuxClick={(event) => {
        if (event.button === 1) onPress(row, event);
      }}
    >
      {selected !== null && (
        <div role="gridcell" className={styles.check}>
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={`Select ${rowKey}`}
            checked={selected}
            onChange={() => undefined}
            onClick={(event) => onToggle(row, event.shiftKey)}
          />
        </div>
      )}
      {columns.map((column) => (
        <div key={column.key} role="gridcell" className={classes(styles.cell, column.align && styles.end)}>
          {column.cell(row)}
        </div>
      ))}
    </div>
  );
}

/** Renders again only if its row, position or columns change: keep `columns` identical between renders. */
export const Row = memo(
  PlainRow,
  (before, after) =>
    (["row", "top", "template", "active", "selected", "index", "onPress", "onToggle"] as const).every(
      (name) => before[name] === after[name],
    ) &&
    before.columns.length === after.columns.length &&
    before.columns.every((column, at) => column === after.columns[at]),
) as <T>(props: RowProps<T>) => ReactElement;

function sortOf<T>(column: Column<T>, sorting: Sorting | undefined): "ascending" | "descending" | undefined {
  if (column.sort === undefined || sorting?.by !== column.sort) return undefined;
  return sorting.descending ? "descending" : "ascending";
}

function next(by: string, now: Sorting): Sorting {
  return { by, descending: now.by === by ? !now.descending : true };
}
