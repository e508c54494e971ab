import { useCallback, useState } from "react";

import type { RunRow } from "./types";

/**
 * The run that is shown as it goes: the one that is running, else the first that waits. One that has ended stays until the
 * state is up to date, so that nothing that was said vanishes for a moment.
 */
export function useLiveRun(runs: readonly RunRow[]): { run: RunRow | null; over: (runId: string) => void } {
  const [shown, setShown] = useState<RunRow | null>(null);
  const [done, setDone] = useState<ReadonlySet<string>>(new Set());
  const active = runs.filter((run) => isActive(run) && !done.has(run.run_id));
  const going = active.find((run) => run.status === "running") ?? active.at(-1) ?? null;
  const held =
    shown !== null && !done.has(shown.run_id) ? (runs.find((run) => run.run_id === shown.run_id) ?? shown) : null;
  // What is shown goes on until it says itself that it is over, unless it never began and another one has.
  const run = held !== null && !(held.status === "pending" && going?.status === "running") ? held : going;
  if (run !== shown) setShown(run);
  const over = useCallback((runId: string) => setDone((before) => new Set(before).add(runId)), []);
  return { run, over };
}

export function isActive(run: RunRow): boolean {
  return run.status === "running" || run.status === "pending";
}
