/** Modes that tell which nodes ran. */
const TELLING = ["tasks", "debug", "checkpoints", "updates", "events"];

/** Whether a log tells too little of what ran when, so that the thread's history must help. */
export function isPoor(modes: ReadonlyMap<string, number>): boolean {
  return !TELLING.some((mode) => modes.has(mode));
}
