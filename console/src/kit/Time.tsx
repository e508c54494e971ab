import { useEffect, useState } from "react";

import { ago, duration, exact } from "./format";

type Instant = string | number | Date;

/** The time now, refetchThread every `ms`; `null` stands still. Hidden tabs do not tick. */
export function useNow(ms: number | null = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (ms === null) return;
    const tick = () => {
      if (document.visibilityState === "visible") setNow(Date.now());
    };
    const timer = setInterval(tick, ms);
    document.addEventListener("visibilitychange", tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", tick);
    };
  }, [ms]);
  return now;
}

/** A relative time with the exact time as its tooltip. */
export function Time({ at }: { at: Instant | null | undefined }) {
  const instant = at === null || at === undefined ? Number.NaN : new Date(at).getTime();
  const [first] = useState(() => Date.now());
  const now = useNow(Math.abs(first - instant) > 3_600_000 ? 60_000 : 1000);
  if (Number.isNaN(instant)) return <span className="muted">–</span>;
  return (
    <time dateTime={new Date(instant).toISOString()} title={exact(instant)}>
      {ago(instant, now)}
    </time>
  );
}

/** The duration between two instants, or since `from`, ticking, while `to` is missing. */
export function Duration({ from, to, ms }: { from?: Instant | null; to?: Instant | null; ms?: number }) {
  const begin = from === null || from === undefined ? Number.NaN : new Date(from).getTime();
  const ticking = ms === undefined && (to === null || to === undefined) && !Number.isNaN(begin);
  const now = useNow(ticking ? 1000 : null);
  if (ms !== undefined) return <span>{duration(ms)}</span>;
  if (Number.isNaN(begin)) return <span className="muted">–</span>;
  const end = to === null || to === undefined ? Math.max(now, begin) : new Date(to).getTime();
  return <span title={`since ${exact(begin)}`}>{duration(end - begin)}</span>;
}
