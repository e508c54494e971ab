import type { LoggedEvent } from "./event";

/**
 * A fold over events. `take` changes the state that it is given; `copy` makes another that shares nothing which `take`
 * changes. What states hold is replaced and never changed, so a copy costs its containers only.
 */
export type Fold<S> = { start: () => S; copy: (state: S) => S; take: (state: S, event: LoggedEvent) => void };

type Snapshot<S> = { count: number; state: S };

/** After so many events a snapshot is kept; twice as many whenever there are too many snapshots. */
const EVERY = 256;
const MOST = 48;

/**
 * The state after any number of events, of a list that only grows. Going on from where one was costs the new events and a
 * copy; going back costs at most the events since a snapshot. States that were given out are never changed.
 */
export class Replay<S> {
  private every = EVERY;
  private kept: Snapshot<S>[] = [];
  private last: Snapshot<S>;
  private readonly fold: Fold<S>;
  private readonly events: readonly LoggedEvent[];

  constructor(fold: Fold<S>, events: readonly LoggedEvent[]) {
    this.fold = fold;
    this.events = events;
    this.last = { count: 0, state: fold.start() };
  }

  at(count: number): S {
    const wanted = Math.max(0, Math.min(count, this.events.length));
    if (this.last.count === wanted) return this.last.state;
    const from = this.nearest(wanted);
    const state = this.fold.copy(from.state);
    for (let index = from.count; index < wanted; index += 1) {
      const event = this.events[index];
      if (event) this.fold.take(state, event);
      this.keep(index + 1, state);
    }
    this.last = { count: wanted, state };
    return state;
  }

  private nearest(count: number): Snapshot<S> {
    let best: Snapshot<S> = this.last.count <= count ? this.last : { count: 0, state: this.fold.start() };
    for (const each of this.kept) if (each.count <= count && each.count > best.count) best = each;
    return best;
  }

  private keep(count: number, state: S): void {
    const newest = this.kept[this.kept.length - 1]?.count ?? 0;
    if (count % this.every !== 0 || count <= newest) return;
    this.kept.push({ count, state: this.fold.copy(state) });
    if (this.kept.length <= MOST) return;
    this.every *= 2;
    this.kept = this.kept.filter((each) => each.count % this.every === 0);
  }
}
