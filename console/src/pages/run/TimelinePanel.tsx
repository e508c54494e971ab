import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef, useState } from "react";

import { bars, lanes, ticks, waterfall, type Attempt, type Row, type Span } from "../../events";
import { classes, count, counted, duration, Empty, IconButton, Icon, Segments, type IconName } from "../../kit";
import styles from "./timeline.module.css";

type TimelineProps = {
  spans: readonly Span[];
  attempts: readonly Attempt[];
  from: number;
  /** The end of the axis: grows while the run does. */
  to: number;
  now: number;
  /** Where a replay is; null at the end. */
  playhead: number | null;
  selected: string | null;
  onSelect: (span: Span) => void;
  grouped: boolean;
  onGrouped: (grouped: boolean) => void;
};

const ROW = 24;
const LABEL = 168;

/** Nodes, tools and models over time. Each on its own line, or all runs of a node on one. */
export function TimelinePanel(props: TimelineProps) {
  const { spans, from, to, now, playhead, selected, onSelect, grouped, attempts } = props;
  const [zoom, setZoom] = useState(1);
  const scroller = useRef<HTMLDivElement>(null);
  const wide = useWidth(scroller);
  const track = Math.max(120, (wide - LABEL) * zoom);
  const rows = useMemo(() => (grouped ? lanes(spans) : waterfall(spans)), [spans, grouped]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const end = Math.max(to, from + 1);
  const all = ticks(end - from, Math.max(2, Math.floor(track / 90)));
  // A mark at the very end has no room for its text.
  const marks = all.filter((mark) => mark === 0 || (1 - mark / (end - from)) * track > 44);
  const share = (at: number) => `${(100 * (at - from)) / (end - from)}%`;

  return (
    <div className={styles.timeline}>
      <div className={styles.tools}>
        <h2>Timeline</h2>
        <Segments
          label="Lines of the timeline"
          options={[
            { value: "steps", label: "Steps" },
            { value: "nodes", label: "By node" },
          ]}
          value={grouped ? "nodes" : "steps"}
          onChange={(value) => props.onGrouped(value === "nodes")}
        />
        <span className={styles.spacer} />
        <span className={styles.count}>{counted(spans.length, "span")}</span>
        <IconButton small icon="minus" label="Zoom out" disabled={zoom <= 1} onClick={() => setZoom(zoom / 2)} />
        <IconButton small icon="plus" label="Zoom in" disabled={zoom >= 256} onClick={() => setZoom(zoom * 2)} />
      </div>
      {/* A region that scrolls must be reachable by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div ref={scroller} className={styles.scroller} tabIndex={0} role="group" aria-label="Timeline">
        {rows.length === 0 ? (
          <Empty title="Nothing has run yet">
            <p>Nodes and tools appear here as they begin.</p>
          </Empty>
        ) : (
          <div className={styles.canvas} style={{ width: LABEL + track }}>
            <div className={styles.axis}>
              <div className={styles.corner} style={{ width: LABEL }} />
              <div className={styles.marks}>
                {marks.map((mark) => (
                  <span key={mark} style={{ left: share(from + mark) }}>
                    {mark === 0 ? "0" : duration(mark)}
                  </span>
                ))}
              </div>
            </div>
            <ul className={styles.rows} style={{ height: virtual.getTotalSize() }} aria-label="Spans">
              {virtual.getVirtualItems().map((item) => {
                const row = rows[item.index];
                return row === undefined ? null : (
                  <li key={row.key} className={styles.row} style={{ transform: `translateY(${item.start}px)` }}>
                    <Label row={row} onSelect={onSelect} selected={selected} />
                    <div className={styles.track}>
                      <Bars {...{ row, from, end, now, track, selected, onSelect }} />
                    </div>
                  </li>
                );
              })}
            </ul>
            <div className={styles.overlay} style={{ left: LABEL }} aria-hidden="true">
              {playhead !== null && <div className={styles.playhead} style={{ left: share(playhead) }} />}
              {attempts.slice(1).map((attempt) => (
                <div key={attempt.attempt} className={styles.attempt} style={{ left: share(attempt.from) }}>
                  <span>attempt {attempt.attempt}</span>
                </div>
              ))}
            </div>
          </div>
        )}
      </div>
    </div>
  );
}

const KIND_ICONS: Record<Span["kind"], IconName> = { node: "runs", tool: "tool", model: "assistants" };

type Choice = { selected: string | null; onSelect: (span: Span) => void };

function Label({ row, selected, onSelect }: Choice & { row: Row }) {
  const [first] = row.spans;
  const last = row.spans[row.spans.length - 1] ?? first;
  if (first === undefined || last === undefined) return null;
  return (
    <button
      type="button"
      className={classes(styles.label, row.spans.some((span) => span.id === selected) && styles.chosen)}
      style={{ width: LABEL, paddingLeft: 8 + Math.min(row.depth, 6) * 12 }}
      title={first.path.join(" › ")}
      onClick={() => onSelect(last)}
    >
      <Icon name={KIND_ICONS[row.kind]} size={12} />
      <span className={styles.name}>{row.label}</span>
      {row.spans.length > 1 && <span className="muted">×{count(row.spans.length)}</span>}
    </button>
  );
}

type BarsProps = Choice & { row: Row; from: number; end: number; now: number; track: number };

const Bars = memo(function Bars({ row, from, end, now, track, selected, onSelect }: BarsProps) {
  const drawn = bars(row.spans, from, end, now, 3 / track);
  return drawn.map(({ span, left, width }) => {
    const took = duration((span.to ?? Math.max(now, span.from)) - span.from);
    const room = drawn.length === 1;
    return (
      <button
        key={span.id}
        type="button"
        tabIndex={-1}
        aria-label={`${span.name}, ${span.status}, ${took}`}
        title={`${span.path.join(" › ")}\n${span.status}, ${span.guessed ? "about " : ""}${took}`}
        className={classes(
          styles.bar,
          styles[span.kind],
          styles[span.status],
          span.guessed && styles.guessed,
          span.id === selected && styles.marked,
        )}
        style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
        onClick={() => onSelect(span)}
      >
        {span.tries.slice(1).map((at) => (
          <i
            key={at}
            className={styles.try}
            style={{ left: `${(100 * (at - span.from)) / Math.max(1, (span.to ?? now) - span.from)}%` }}
          />
        ))}
        {room && <span className={styles[placeOf(left, width)]}>{took}</span>}
      </button>
    );
  });
});

/** Where a bar's figure has room: behind it, before it, or in it. */
function placeOf(left: number, width: number): "after" | "before" | "inside" {
  if (left + width < 0.82) return "after";
  return left > 0.18 ? "before" : "inside";
}

function useWidth(of: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const box = of.current;
    if (box === null) return;
    const watch = new ResizeObserver(() => setWidth(box.clientWidth));
    watch.observe(box);
    return () => watch.disconnect();
  }, [of]);
  return width;
}
