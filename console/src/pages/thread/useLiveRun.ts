import { useCallback, useState } from "react";

import type { RunRow } from "./types";

/**
 * The run to show live: the running one, or else the first pending one. A finished run stays until the state has been
 * refetched, so that its messages do not flicker.
 */
export function useLiveRun(runs: readonly RunRow[]): { run: RunRow | null; over: (runId: string) => void } {
  const [shown, setShown] = useState<RunRow | null>(null);
  const [done, setDone] = useState<ReadonlySet<string>>(new Set());
  const active = runs.filter((run) => isActive(run) && !done.has(run.run_id));
  const going = active.find((run) => run.status === "running") ?? active.at(-1) ?? null;
  const held =
    shown !== null && !done.has(shown.run_id) ? (runs.find((run) => run.run_id === shown.run_id) ?? shown) : null;
  // Keep the current run until it reports its end, unless it never started and another run has.
  const run = held !== null && !(held.status === "pending" && going?.status === "running") ? held : going;
  if (run !== shown) setShown(run);
  const over = useCallback((runId: string) => setDone((before) => new Set(before).add(runId)), []);
  return { run, over };
}

export function isActive(run: RunRow): boolean {
  return run.status === "running" || run.status === "pending";
}
