import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useId, useLayoutEffect, useRef, useState, type MouseEvent, type ReactNode } from "react";

import { classes } from "./classes";
import { useHotkeys, type Hotkey } from "./keyboard";
import { Head, Row } from "./tableRows";
import type { Column, Selected, Sorting } from "./columns";
import styles from "./table.module.css";

export type VirtualTableProps<T> = {
  /** The name for screen readers: "Runs". */
  label: string;
  rows: readonly T[];
  rowKey: (row: T) => string;
  columns: readonly Column<T>[];
  /** Called by Enter and by a click. `newTab` is set with Ctrl, Cmd or the middle button. */
  onOpen?: (row: T, newTab: boolean) => void;
  /** Adds a checkbox to each row; Space or x toggles the active row, Shift extends the selection. */
  selection?: Selected;
  sorting?: { value: Sorting; onSort: (sorting: Sorting) => void };
  /** Called when the end scrolls into view, to load more. May be called again while loading. */
  onEnd?: () => void;
  /** The number of rows on the server, for screen readers. */
  total?: number | null;
  /** Shown if there are no rows. */
  empty?: ReactNode;
  /** A line below the rows, such as their number. */
  foot?: ReactNode;
  rowHeight?: number;
  /** Additional shortcuts for the active row. */
  keys?: readonly { key: string; does: string; run: (row: T) => void }[];
};

/**
 * A virtual table: only visible rows are in the document. j/k and arrows move, Enter opens. It fills its container, which
 * needs a height (a Panel with `fill` and `bare`).
 */
export function VirtualTable<T>(props: VirtualTableProps<T>) {
  const { label, rows, rowKey, columns, onEnd, empty, foot, rowHeight = 34, selection, total } = props;
  const id = useId();
  const body = useRef<HTMLDivElement>(null);
  const width = useWidth(body);
  const shown = columns.filter((column) => column.from === undefined || width === 0 || width >= column.from);
  const template = [...(selection ? ["18px"] : []), ...shown.map((column) => column.width)].join(" ");
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => body.current,
    estimateSize: () => rowHeight,
    overscan: 8,
    getItemKey: (index) => keyAt(rows, rowKey, index),
  });
  const items = virtual.getVirtualItems();
  const lastSeen = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (onEnd && rows.length > 0 && lastSeen >= rows.length - 10) onEnd();
  }, [lastSeen, rows.length, onEnd]);
  const { activeKey, act } = useActive(props, (index) => virtual.scrollToIndex(index, { align: "auto" }));

  return (
    // The grid is the only tab stop; aria-activedescendant points to the active row.
    <div
      role="grid"
      aria-label={label}
      aria-rowcount={(total ?? rows.length) + 1}
      aria-multiselectable={selection ? true : undefined}
      aria-activedescendant={
        activeKey !== null && items.some((item) => item.key === activeKey) ? `${id}-${activeKey}` : undefined
      }
      tabIndex={0}
      className={styles.table}
      data-table=""
      onKeyDown={act.keyDown}
    >
      <Head
        columns={shown}
        template={template}
        selection={selection}
        rows={rows}
        rowKey={rowKey}
        sorting={props.sorting}
      />
      <div ref={body} className={styles.body} role="rowgroup">
        {rows.length === 0 ? (
          <div role="row">
            <div role="gridcell">{empty}</div>
          </div>
        ) : (
          <div className={styles.space} style={{ height: virtual.getTotalSize() }} role="presentation">
            {items.map((item) => {
              const row = rows[item.index];
              if (row === undefined) return null;
              const key = String(item.key);
              return (
                <Row
                  key={key}
                  id={`${id}-${key}`}
                  index={item.index}
                  top={item.start}
                  height={rowHeight}
                  template={template}
                  row={row}
                  rowKey={key}
                  columns={shown}
                  active={key === activeKey}
                  openable={props.onOpen !== undefined}
                  selected={selection ? selection.keys.has(key) : null}
                  onPress={act.press}
                  onToggle={act.toggle}
                />
              );
            })}
          </div>
        )}
      </div>
      {foot !== undefined && <div className={classes(styles.foot)}>{foot}</div>}
    </div>
  );
}

function keyAt<T>(rows: readonly T[], rowKey: (row: T) => string, index: number): string {
  const row = rows[index];
  return row === undefined ? String(index) : rowKey(row);
}

/** The active row, identified by its key so that it stays active when rows are inserted above it. */
function useActive<T>(props: VirtualTableProps<T>, reveal: (index: number) => void) {
  const { rows, rowKey, onOpen, selection, keys = [] } = props;
  const [activeKey, setActiveKey] = useState<string | null>(null);
  const [anchor, setAnchor] = useState<string | null>(null);
  const at = activeKey === null ? -1 : rows.findIndex((row) => rowKey(row) === activeKey);

  const move = (to: number, extend: boolean) => {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    const row = rows[index];
    if (row === undefined) return;
    setActiveKey(rowKey(row));
    reveal(index);
    if (extend) select(index);
    else setAnchor(rowKey(row));
  };
  const select = (to: number) => {
    if (!selection) return;
    const from = rows.findIndex((row) => rowKey(row) === anchor);
    const range = rows.slice(Math.min(from < 0 ? to : from, to), Math.max(from, to) + 1);
    selection.onChange(new Set([...selection.keys, ...range.map(rowKey)]));
  };
  const toggle = (row: T, extend: boolean) => {
    if (!selection) return;
    const key = rowKey(row);
    setActiveKey(key);
    if (extend) {
      select(rows.indexOf(row));
      return;
    }
    setAnchor(key);
    const next = new Set(selection.keys);
    if (!next.delete(key)) next.add(key);
    selection.onChange(next);
  };
  const onRow = (run: (row: T) => void) => () => {
    const row = rows[at];
    if (row !== undefined) run(row);
  };

  const hotkeys: Hotkey[] = [
    { key: "j", does: "Next row", run: () => move(at + 1, false) },
    { key: "k", does: "Previous row", run: () => move(at - 1, false) },
    ...(onOpen ? [{ key: "o", does: "Open the row (also Enter)", run: onRow((row) => onOpen(row, false)) }] : []),
    ...(selection ? [{ key: "x", does: "Select the row (also Space)", run: onRow((row) => toggle(row, false)) }] : []),
    ...keys.map(({ key, does, run }) => ({ key, does, run: onRow(run) })),
  ];
  useHotkeys(hotkeys);

  const page = 12;
  const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page };
  const keyDown = (event: React.KeyboardEvent) => {
    if (event.target instanceof Element && event.target.closest("a, button, input") !== null) return;
    const ends: Record<string, number> = { Home: 0, End: rows.length - 1 };
    const to = steps[event.key] ?? ends[event.key];
    if (to !== undefined) move(to, event.shiftKey);
    else if (event.key === "Enter" && onOpen) onRow((row) => onOpen(row, event.ctrlKey || event.metaKey))();
    else if (event.key === " " && selection) onRow((row) => toggle(row, event.shiftKey))();
    else return;
    event.preventDefault();
  };
  const press = (row: T, event: MouseEvent) => {
    if (event.target instanceof Element && event.target.closest("a, button, input, label") !== null) return;
    if (window.getSelection()?.type === "Range") return;
    setActiveKey(rowKey(row));
    if (event.shiftKey) toggle(row, true);
    else onOpen?.(row, event.ctrlKey || event.metaKey || event.button === 1);
  };
  return { activeKey, act: { keyDown, ...useStableCallbacks({ press, toggle }) } };
}

type RowCallbacks<T> = { press: (row: T, event: MouseEvent) => void; toggle: (row: T, extend: boolean) => void };

/** Stable functions that call the latest callbacks, so that new callbacks do not re-render all rows. */
function useStableCallbacks<T>(callbacks: RowCallbacks<T>): RowCallbacks<T> {
  const latest = useRef(callbacks);
  useLayoutEffect(() => {
    latest.current = callbacks;
  });
  const [stable] = useState<RowCallbacks<T>>(() => ({
    press: (row, event) => latest.current.press(row, event),
    toggle: (row, extend) => latest.current.toggle(row, extend),
  }));
  return stable;
}

/** The current width of an element; 0 until measured. */
function useWidth(element: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const target = element.current;
    if (target === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    observer.observe(target);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
