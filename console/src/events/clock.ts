import type { LoggedEvent } from "./event";

/**
 * When each event of a growing list came, never going backwards: servers that took over from each other may have clocks
 * that differ a little.
 */
export class Clock {
  private readonly times: number[] = [];
  private readonly events: readonly LoggedEvent[];

  constructor(events: readonly LoggedEvent[]) {
    this.events = events;
  }

  get from(): number {
    this.catchUp();
    return this.times[0] ?? 0;
  }

  get to(): number {
    this.catchUp();
    return this.times[this.times.length - 1] ?? 0;
  }

  /** How many events had come at that time. */
  countAt(at: number): number {
    this.catchUp();
    let [low, high] = [0, this.times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.times[middle] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** When the event came that made it so many. */
  timeAt(count: number): number {
    this.catchUp();
    return this.times[Math.max(0, Math.min(count, this.times.length) - 1)] ?? 0;
  }

  private catchUp(): void {
    for (let index = this.times.length; index < this.events.length; index += 1) {
      this.times.push(Math.max(this.events[index]?.at ?? 0, this.times[index - 1] ?? 0));
    }
  }
}

export const SPEEDS = [0.5, 1, 2, 5, 10, 50, 200, 1000] as const;

/** The slowest speed, not slower than life, at which so long a run is over within twenty seconds. */
export function fittingSpeed(ms: number): number {
  return SPEEDS.find((speed) => speed >= 1 && ms / speed <= 20_000) ?? 1000;
}
