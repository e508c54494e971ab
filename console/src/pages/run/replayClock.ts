/** Where a replay is after some real time: never past the end. A tab that was hidden for long does not leap. */
export function advanceReplay(at: number, elapsedMs: number, speed: number, end: number): number {
  return Math.min(end, at + Math.min(elapsedMs, 250) * speed);
}
