import { objectOf, numberOf, textOf } from "../../events/json";
import type { ThreadState } from "./types";

/** A checkpoint in the history, with the nodes that wrote it and the nodes that run next. */
export type Checkpoint = {
  id: string;
  parent: string | null;
  namespace: string;
  /** -1 for the input of the first run, then 0, 1, 2 … */
  step: number | null;
  /** input, loop, update or fork. */
  source: string;
  /** The nodes that wrote it: the `next` of its parent. */
  ran: readonly string[];
  next: readonly string[];
  at: string | null;
  runId: string | null;
  failed: boolean;
  interrupted: boolean;
  state: ThreadState;
};

/** A line segment in a row of height 1: from lane `from` at the top (or the dot) to lane `to` at the bottom (or the dot). */
export type Line = { from: number; to: number; part: "top" | "bottom" | "whole" };

export type Row = { checkpoint: Checkpoint; lane: number; lines: readonly Line[]; tip: boolean };

export type Tree = { rows: readonly Row[]; lanes: number; branches: number };

export function checkpointsOf(states: readonly ThreadState[]): Checkpoint[] {
  const known = new Map(states.map((state) => [idOf(state), state]));
  const seen = new Set<string>();
  const checkpoints: Checkpoint[] = [];
  for (const state of states) {
    const id = idOf(state);
    // Pages can overlap when checkpoints are added between two requests.
    if (id === "" || seen.has(id)) continue;
    seen.add(id);
    checkpoints.push(checkpointOf(state, known.get(state.parent_checkpoint?.checkpoint_id ?? "")));
  }
  return checkpoints;
}

function checkpointOf(state: ThreadState, before: ThreadState | undefined): Checkpoint {
  const metadata = objectOf(state.metadata);
  const source = textOf(metadata.source) ?? "loop";
  return {
    id: idOf(state),
    parent: state.parent_checkpoint?.checkpoint_id ?? null,
    namespace: state.checkpoint.checkpoint_ns ?? "",
    step: numberOf(metadata.step),
    source,
    ran: source === "loop" ? named(before) : [],
    next: state.next.filter((name) => name !== "__start__"),
    at: state.created_at,
    runId: textOf(metadata.run_id),
    failed: state.tasks.some((task) => task.error !== null && task.error !== undefined),
    interrupted: state.tasks.some((task) => task.interrupts.length > 0),
    state,
  };
}

function named(before: ThreadState | undefined): string[] {
  return [...new Set((before?.next ?? []).filter((name) => name !== "__start__"))];
}

function idOf(state: ThreadState): string {
  return state.checkpoint.checkpoint_id ?? "";
}

/**
 * Lays out checkpoints, newest first, as rows with lanes. Each branch has a lane until it joins its parent. If the parent
 * is not loaded yet, the line stays open at the bottom.
 */
export function treeOf(checkpoints: readonly Checkpoint[]): Tree {
  // The checkpoint that each lane leads to, or null for a free lane.
  const lanes: (string | null)[] = [];
  const rows: Row[] = [];
  let most = 0;
  for (const checkpoint of checkpoints) {
    const tip = !lanes.includes(checkpoint.id);
    const lane = tip ? place(lanes, checkpoint.id) : lanes.indexOf(checkpoint.id);
    most = Math.max(most, lanes.length);
    const lines = lanes.flatMap((waits, at): Line[] => {
      if (waits === null) return [];
      if (waits !== checkpoint.id) return [{ from: at, to: at, part: "whole" }];
      return tip ? [] : [{ from: at, to: lane, part: "top" }];
    });
    lanes.forEach((waits, at) => {
      if (waits === checkpoint.id) lanes[at] = null;
    });
    if (checkpoint.parent !== null) {
      lanes[lane] = checkpoint.parent;
      lines.push({ from: lane, to: lane, part: "bottom" });
    }
    while (lanes.length > 0 && lanes.at(-1) === null) lanes.pop();
    rows.push({ checkpoint, lane, lines, tip });
  }
  return { rows, lanes: most, branches: rows.filter((row) => row.tip).length };
}

function place(lanes: (string | null)[], id: string): number {
  const free = lanes.indexOf(null);
  const at = free < 0 ? lanes.length : free;
  lanes[at] = id;
  return at;
}

/** The label of a checkpoint in the list. */
export function labelOf(checkpoint: Checkpoint): string {
  if (checkpoint.source === "loop") return checkpoint.ran.length > 0 ? checkpoint.ran.join(", ") : "start";
  if (checkpoint.source === "update") return "edited state";
  return checkpoint.source;
}
