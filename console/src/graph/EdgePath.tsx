import { EdgeLabelRenderer, type Edge, type EdgeProps } from "@xyflow/react";
import { useId } from "react";

import { classes } from "../kit/classes";
import styles from "./graph.module.css";
import type { Point } from "./layout";

export type EdgeContent = {
  points: readonly Point[];
  label: string;
  labelAt: Point | null;
  conditional: boolean;
  /** The target node is running. */
  lit: boolean;
};

export function EdgePath({ data }: EdgeProps<Edge<EdgeContent>>) {
  const arrow = useId();
  if (!data || data.points.length < 2) return null;
  const { points, label, labelAt, conditional, lit } = data;
  return (
    <>
      <defs>
        <marker
          id={arrow}
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="8"
          markerHeight="8"
          orient="auto-start-reverse"
        >
          <path d="M0.5 0.5 7 4 0.5 7.5z" className={classes(styles.arrow, lit && styles.lit)} />
        </marker>
      </defs>
      <path
        d={curve(points)}
        className={classes(styles.edge, conditional && styles.conditional, lit && styles.lit)}
        markerEnd={`url(#${arrow})`}
      />
      {label !== "" && labelAt && (
        <EdgeLabelRenderer>
          <div
            className={styles.label}
            style={{ transform: `translate(-50%, -50%) translate(${labelAt.x}px, ${labelAt.y}px)` }}
          >
            {label}
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
}

/** A smooth path: quadratic curves between the midpoints, with the points as control points. */
export function curve(points: readonly Point[]): string {
  const [first, ...rest] = points;
  const last = rest.at(-1);
  if (!first || !last) return "";
  const bends = rest.slice(0, -1);
  let path = `M${at(first)}`;
  bends.forEach((bend, index) => {
    const next = bends[index + 1];
    path += ` Q${at(bend)} ${at(next ? { x: (bend.x + next.x) / 2, y: (bend.y + next.y) / 2 } : last)}`;
  });
  return bends.length === 0 ? `${path} L${at(last)}` : path;
}

function at({ x, y }: Point): string {
  return `${Math.round(x * 10) / 10},${Math.round(y * 10) / 10}`;
}
