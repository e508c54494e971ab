import type { LoggedEvent } from "./event";

/** Which events of a log are shown: of some modes (all if none is named), from one namespace, holding a text. */
export type EventFilter = { modes: readonly string[]; namespace: string | null; text: string };

/** The places of the events in a growing list that a filter lets through. Looks at each event once. */
export class Matches {
  private readonly found: number[] = [];
  private looked = 0;
  private readonly filter: EventFilter;
  private readonly events: readonly LoggedEvent[];

  constructor(filter: EventFilter, events: readonly LoggedEvent[]) {
    this.filter = { ...filter, text: filter.text.trim().toLowerCase() };
    this.events = events;
  }

  /** Among the first `count` events; the list is new whenever it is longer. */
  among(count: number): readonly number[] {
    for (; this.looked < Math.min(count, this.events.length); this.looked += 1) {
      const event = this.events[this.looked];
      if (event && matches(this.filter, event)) this.found.push(this.looked);
    }
    if ((this.found[this.found.length - 1] ?? -1) < count) return this.found.slice();
    return this.found.slice(0, firstFrom(this.found, count));
  }
}

function matches(filter: EventFilter, event: LoggedEvent): boolean {
  if (filter.modes.length > 0 && !filter.modes.includes(event.mode)) return false;
  if (filter.namespace !== null && event.namespace.join("|") !== filter.namespace) return false;
  return filter.text === "" || textOf(event).includes(filter.text);
}

function textOf(event: LoggedEvent): string {
  return `${event.event} ${JSON.stringify(event.data)}`.toLowerCase();
}

/** One line that tells an event from its neighbours. */
export function digest(event: LoggedEvent, length = 160): string {
  const text = typeof event.data === "string" ? event.data : JSON.stringify(event.data);
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** How many of ascending numbers are below `limit`. */
function firstFrom(ascending: readonly number[], limit: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
