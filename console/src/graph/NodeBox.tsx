import { Handle, Position, useReactFlow, type Node, type NodeProps } from "@xyflow/react";
import type { ReactNode } from "react";

import { classes } from "../kit/classes";
import { Icon } from "../kit/icons";
import type { Shown } from "./drawing";
import styles from "./graph.module.css";
import type { Direction } from "./layout";
import type { NodePhase, NodeState } from "./states";

export type NodeContent = {
  shown: Shown;
  state: NodeState;
  selected: boolean;
  direction: Direction;
  /** Null if the node is not clickable. */
  onPress: ((id: string) => void) | null;
  onToggle: (id: string) => void;
};

export function NodeBox({ data }: NodeProps<Node<NodeContent>>) {
  const { shown, direction } = data;
  const [into, out] = direction === "down" ? [Position.Top, Position.Bottom] : [Position.Left, Position.Right];
  return (
    <>
      <Handle type="target" position={into} className={styles.handle} isConnectable={false} />
      {shown.kind === "start" || shown.kind === "end" ? (
        <div className={classes(styles.end, shown.kind === "start" && styles.start)}>{shown.name}</div>
      ) : shown.open ? (
        <OpenGroup {...data} />
      ) : (
        <Single {...data} />
      )}
      <Handle type="source" position={out} className={styles.handle} isConnectable={false} />
    </>
  );
}

function Single({ shown, state, selected, onPress, onToggle }: NodeContent) {
  const group = shown.kind === "group";
  return (
    <div className={classes(styles.node, styles[state.phase], selected && styles.selected, group && styles.stack)}>
      {group && (
        <button
          type="button"
          className={classes(styles.toggle, "nopan")}
          aria-expanded={false}
          aria-label={`Expand subgraph ${shown.name}`}
          title="Expand this subgraph"
          onClick={() => onToggle(shown.id)}
        >
          <Icon name="right" size={12} />
        </button>
      )}
      <Press id={shown.id} state={state} selected={selected} onPress={onPress} title={titleOf(shown)}>
        <Mark phase={state.phase} />
        <span className={styles.name}>{shown.name}</span>
        {shown.tools.length > 0 && state.count === undefined && <Icon name="tool" size={12} />}
        <Figures {...state} />
      </Press>
    </div>
  );
}

function OpenGroup({ shown, state, selected, onPress, onToggle }: NodeContent) {
  return (
    <div className={classes(styles.group, styles[state.phase], selected && styles.selected)}>
      <div className={styles.groupHead}>
        <button
          type="button"
          className={classes(styles.toggle, "nopan")}
          aria-expanded={true}
          aria-label={`Collapse subgraph ${shown.name}`}
          title="Collapse this subgraph"
          onClick={() => onToggle(shown.id)}
        >
          <Icon name="down" size={12} />
        </button>
        <Press id={shown.id} state={state} selected={selected} onPress={onPress} title={shown.id}>
          <span className={styles.name}>{shown.name}</span>
          <Mark phase={state.phase} />
          <Figures {...state} />
        </Press>
      </div>
    </div>
  );
}

type PressProps = Pick<NodeContent, "state" | "selected" | "onPress"> & {
  id: string;
  title: string;
  children: ReactNode;
};

/** A button if the node is clickable. Keyboard focus scrolls it into view. */
function Press({ id, state, selected, onPress, title, children }: PressProps) {
  const flow = useReactFlow();
  if (onPress === null) {
    return (
      <div className={styles.press} title={title}>
        {children}
      </div>
    );
  }
  const show = (element: HTMLElement) => {
    if (!element.matches(":focus-visible")) return;
    // Undo the browser's own scrolling to the focused element, which React Flow does not know about.
    element.closest(".react-flow")?.scrollTo(0, 0);
    const node = flow.getInternalNode(id);
    if (!node || inView(element)) return;
    const { x, y } = node.internals.positionAbsolute;
    void flow.setCenter(x + (node.width ?? 0) / 2, y + 20, { zoom: flow.getZoom() });
  };
  return (
    <button
      type="button"
      className={classes(styles.press, "nopan")}
      title={title}
      aria-pressed={selected}
      onFocus={(event) => show(event.currentTarget)}
      onClick={() => onPress(id)}
    >
      {children}
      <span className="visually-hidden">{spokenState(id, state)}</span>
    </button>
  );
}

function Figures({ count, durationMs }: NodeState) {
  return (
    <>
      {durationMs !== undefined && <span className={styles.figure}>{shortDuration(durationMs)}</span>}
      {count !== undefined && count > 1 && <span className={styles.count}>×{count}</span>}
    </>
  );
}

const MARKS = { done: "check", failed: "warning", interrupted: "pause" } as const;

function Mark({ phase }: { phase: NodePhase }) {
  if (phase === "idle") return null;
  if (phase === "running") return <span className={styles.spot} aria-hidden="true" />;
  return (
    <span className={styles.mark}>
      <Icon name={MARKS[phase]} size={13} />
    </span>
  );
}

/** A duration with at most two units of precision: 3 ms, 120 ms, 1.4 s, 12 s, 3 min. */
export function shortDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 119_500) return `${Math.round(ms / 1000)} s`;
  return ms < 7_170_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

function titleOf({ id, tools }: Shown): string {
  return tools.length === 0 ? id : `${id}\ntools: ${tools.join(", ")}`;
}

function spokenState(id: string, { phase }: NodeState): string {
  const around = id.split(":").slice(0, -1).join(", ");
  return [phase === "idle" ? "" : `, ${phase}`, around && `, in ${around}`].join("");
}

function inView(element: HTMLElement): boolean {
  const frame = element.closest(".react-flow")?.getBoundingClientRect();
  const box = element.getBoundingClientRect();
  if (!frame) return true;
  return box.top >= frame.top && box.bottom <= frame.bottom && box.left >= frame.left && box.right <= frame.right;
}
