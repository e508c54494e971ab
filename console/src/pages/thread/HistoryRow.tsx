import { useEffect, useRef } from "react";

import { Badge, classes, Time } from "../../kit";
import { labelOf, type Line, type Row } from "./history";
import styles from "./thread.module.css";

const LANE = 14;
const HEIGHT = 32;
const AT_MOST = 12;

type HistoryRowProps = {
  row: Row;
  lanes: number;
  latest: boolean;
  mark: "selected" | "other" | null;
  /** `aside`: the click had Shift, Ctrl or Cmd, which selects a row to compare with. */
  onSelect: (aside: boolean) => void;
};

export function HistoryRow({ row, lanes, latest, mark, onSelect }: HistoryRowProps) {
  const { checkpoint } = row;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (mark === "selected") button.current?.scrollIntoView({ block: "nearest" });
  }, [mark]);
  return (
    <button
      ref={button}
      type="button"
      className={classes(styles.row, mark === "selected" && styles.selected, mark === "other" && styles.other)}
      aria-pressed={mark !== null}
      data-checkpoint={checkpoint.id}
      data-lane={row.lane}
      onClick={(event) => onSelect(event.shiftKey || event.ctrlKey || event.metaKey)}
    >
      <Lanes row={row} lanes={Math.min(lanes, AT_MOST)} />
      <span className={styles.step}>{checkpoint.step ?? ""}</span>
      <span className={styles.label}>
        {labelOf(checkpoint)}
        {checkpoint.next.length > 0 && <span className="muted"> → {checkpoint.next.join(", ")}</span>}
      </span>
      {checkpoint.failed && <Badge tone="bad">failed</Badge>}
      {checkpoint.interrupted && <Badge tone="warn">asks</Badge>}
      {latest && <Badge tone="good">latest</Badge>}
      <span className={styles.when}>
        <Time at={checkpoint.at} />
      </span>
    </button>
  );
}

/** The lines of the passing branches and the dot of this checkpoint. */
function Lanes({ row, lanes }: { row: Row; lanes: number }) {
  return (
    <svg width={lanes * LANE + 4} height={HEIGHT} className={styles.lanes} aria-hidden="true">
      {row.lines
        .filter((line) => Math.max(line.from, line.to) < lanes)
        .map((line) => (
          <path key={`${line.part}${line.from}`} d={curve(line)} className={styles[`lane${line.from % 4}`]} />
        ))}
      <circle
        cx={x(Math.min(row.lane, lanes - 1))}
        cy={HEIGHT / 2}
        r={row.tip ? 4.5 : 3.5}
        className={classes(
          styles.dot,
          styles[`lane${row.lane % 4}`],
          row.checkpoint.source !== "loop" && styles.hollow,
        )}
      />
    </svg>
  );
}

function x(lane: number): number {
  return lane * LANE + LANE / 2 + 2;
}

function curve({ from, to, part }: Line): string {
  const top = part === "bottom" ? HEIGHT / 2 : 0;
  const bottom = part === "top" ? HEIGHT / 2 : HEIGHT;
  const middle = (top + bottom) / 2;
  return `M${x(from)} ${top}C${x(from)} ${middle} ${x(to)} ${middle} ${x(to)} ${bottom}`;
}
