import type { LoggedEvent } from "./event";
import { numberOf, objectOf, textOf } from "./json";
import { errorOf, type SpanError } from "./span";

/** What a run's events say of the run as a whole. `status` is null until the end; `from` is null before the first event. */
export type Summary = {
  events: number;
  modes: Map<string, number>;
  attempt: number;
  status: string | null;
  error: SpanError | null;
  from: number | null;
  to: number | null;
};

export function startSummary(): Summary {
  return { events: 0, modes: new Map(), attempt: 0, status: null, error: null, from: null, to: null };
}

export function foldSummary(summary: Summary, event: LoggedEvent): void {
  summary.events += 1;
  summary.modes.set(event.mode, (summary.modes.get(event.mode) ?? 0) + 1);
  summary.from ??= event.at;
  if (event.mode === "metadata") {
    summary.attempt = numberOf(objectOf(event.data).attempt) ?? summary.attempt;
    summary.error = null;
  } else if (event.mode === "error") {
    summary.error = errorOf(event.data);
  } else if (event.mode === "end") {
    summary.status = textOf(objectOf(event.data).status) ?? "success";
    summary.to = event.at;
  }
}
