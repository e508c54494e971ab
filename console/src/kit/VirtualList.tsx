import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, type ReactNode } from "react";

import styles from "./table.module.css";

type VirtualListProps<T> = {
  label: string;
  items: readonly T[];
  itemKey: (item: T, index: number) => string | number;
  render: (item: T, index: number) => ReactNode;
  /** The estimated height of an item; the actual one is measured. */
  estimate?: number;
  /** Stay at the end while items are added, unless the user scrolled up. */
  follow?: boolean;
  onEnd?: () => void;
  empty?: ReactNode;
};

/** A virtual list for items of any height: only visible items are in the document. It fills its container. */
export function VirtualList<T>({
  label,
  items,
  itemKey,
  render,
  estimate = 28,
  follow,
  onEnd,
  empty,
}: VirtualListProps<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => estimate,
    overscan: 10,
    getItemKey: (index) => {
      const item = items[index];
      return item === undefined ? index : itemKey(item, index);
    },
  });
  const shown = virtual.getVirtualItems();
  const lastSeen = shown.at(-1)?.index ?? -1;
  useEffect(() => {
    if (onEnd && items.length > 0 && lastSeen >= items.length - 5) onEnd();
  }, [lastSeen, items.length, onEnd]);
  useEffect(() => {
    if (follow && atEnd.current && items.length > 0) virtual.scrollToIndex(items.length - 1, { align: "end" });
  }, [follow, items.length, virtual]);
  if (items.length === 0 && empty !== undefined) return <>{empty}</>;
  return (
    <div
      ref={scroller}
      role="list"
      aria-label={label}
      // Scrollable regions must be reachable by keyboard.
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      className={styles.list}
      onScroll={({ currentTarget: at }) => {
        atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 40;
      }}
    >
      <div className={styles.space} style={{ height: virtual.getTotalSize() }} role="presentation">
        {shown.map((item) => {
          const value = items[item.index];
          if (value === undefined) return null;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              role="listitem"
              aria-setsize={items.length}
              aria-posinset={item.index + 1}
              className={styles.item}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {render(value, item.index)}
            </div>
          );
        })}
      </div>
    </div>
  );
}
