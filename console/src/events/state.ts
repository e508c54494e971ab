import { pathOf, type LoggedEvent } from "./event";
import { isObject, objectOf, textOf, type Json } from "./json";

/** The state of one graph of a run as it was last said. `source` is the mode that said it. */
export type GraphState = {
  path: readonly string[];
  values: unknown;
  at: number;
  seq: number;
  source: "values" | "checkpoints";
};

/**
 * States by namespace (`""` is the root graph), and what nodes gave since the log began, for logs that hold no state.
 * `updates` cannot be folded into a state: only the graph knows how it joins them.
 */
export type States = {
  graphs: Map<string, GraphState>;
  updates: Json;
  interrupts: readonly unknown[];
  /** The id of the root graph's last checkpoint, where the log has them. */
  checkpoint: string | null;
};

export function startStates(): States {
  return { graphs: new Map(), updates: {}, interrupts: [], checkpoint: null };
}

export function copyStates(from: States): States {
  return { ...from, graphs: new Map(from.graphs) };
}

export function foldStates(states: States, event: LoggedEvent): void {
  const { type, payload } = objectOf(event.data);
  if (event.mode === "values") say(states, event, event.data, "values");
  else if (event.mode === "checkpoints") foldCheckpoint(states, event, objectOf(event.data));
  else if (event.mode === "debug" && type === "checkpoint") foldCheckpoint(states, event, objectOf(payload));
  else if (event.mode === "updates") foldUpdate(states, event);
}

function foldCheckpoint(states: States, event: LoggedEvent, checkpoint: Json): void {
  say(states, event, checkpoint.values, "checkpoints");
  const id = textOf(objectOf(objectOf(checkpoint.config).configurable).checkpoint_id);
  if (event.namespace.length === 0 && id !== null) states.checkpoint = id;
}

function say(states: States, event: LoggedEvent, values: unknown, source: GraphState["source"]): void {
  const { __interrupt__: interrupts, ...rest } = objectOf(values);
  const own = isObject(values) ? rest : values;
  states.graphs.set(event.namespace.join("|"), {
    path: pathOf(event.namespace),
    values: own,
    at: event.at,
    seq: event.seq,
    source,
  });
  if (Array.isArray(interrupts)) states.interrupts = interrupts;
}

function foldUpdate(states: States, event: LoggedEvent): void {
  const { __interrupt__: interrupts, ...updates } = objectOf(event.data);
  if (Array.isArray(interrupts)) states.interrupts = interrupts;
  const path = pathOf(event.namespace);
  const named = Object.entries(updates).filter(([name]) => !name.startsWith("__"));
  states.updates = {
    ...states.updates,
    ...Object.fromEntries(named.map(([name, value]) => [[...path, name].join(":"), value])),
  };
}
