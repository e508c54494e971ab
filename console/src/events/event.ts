/** What the folds need of an event of the feed (`FeedEvent` has it all): numbered from 1, `at` in milliseconds. */
export type LoggedEvent = {
  seq: number;
  at: number;
  event: string;
  mode: string;
  namespace: readonly string[];
  data: unknown;
};

/** One step into a subgraph: the node that it is the inside of, and the task that ran it. */
export type Segment = { name: string; task: string };

/** `research:<uuid>|search:<uuid>`, as a text or already parted. Numbers (a second call in the same node) are left out. */
export function segmentsOf(namespace: string | readonly string[]): Segment[] {
  const parts = typeof namespace === "string" ? namespace.split("|") : namespace;
  const segments: Segment[] = [];
  for (const part of parts) {
    const colon = part.indexOf(":");
    if (colon > 0) segments.push({ name: part.slice(0, colon), task: part.slice(colon + 1) });
  }
  return segments;
}

/** The names of the nodes that a namespace leads through: `["research"]`. */
export function pathOf(namespace: readonly string[]): string[] {
  return segmentsOf(namespace).map((segment) => segment.name);
}
