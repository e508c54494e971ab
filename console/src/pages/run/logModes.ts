/** Modes that tell which nodes ran. */
const NODE_MODES = ["tasks", "debug", "checkpoints", "updates", "events"];

/** Whether a log tells too little of what ran when, so that the thread's history must help. */
export function lacksNodeEvents(modes: ReadonlyMap<string, number>): boolean {
  return !NODE_MODES.some((mode) => modes.has(mode));
}
