import { useEffect, useMemo, useRef, useState } from "react";

import { useRunFeed, type FeedEvent, type FeedState } from "../../api";
import { Clock, fittingSpeed, Replay, runFold, type RunView } from "../../events";
import { advanceReplay } from "./replayClock";

/** Where one is in a run: at its live end, or (`at`) at an instant of it. */
export type Playback = {
  live: boolean;
  playing: boolean;
  speed: number;
  /** The instant that is shown, and the first and last of the log, in milliseconds. */
  at: number;
  from: number;
  to: number;
  seek: (at: number) => void;
  /** One event on or back. */
  step: (by: number) => void;
  play: () => void;
  pause: () => void;
  setSpeed: (speed: number) => void;
  toLive: () => void;
};

export type RunShown = {
  view: RunView;
  /** Events of the log as of the instant that is shown, and all that are here. */
  events: readonly FeedEvent[];
  count: number;
  total: number;
  missing: number;
  feed: FeedState;
  reconnect: () => void;
  playback: Playback;
};

/** The views of a run: as they happen, or as they were at the instant that the replay is at. */
export function useRunView(threadId: string, runId: string): RunShown {
  const { events, count: total, missing, state: feed, retry } = useRunFeed(threadId, runId);
  const replay = useMemo(() => new Replay(runFold, events), [events]);
  const clock = useMemo(() => new Clock(events), [events]);
  const { playback, count } = usePlayback(clock, total);
  const view = replay.at(count);
  return { view, events, count, total, missing, feed, reconnect: retry, playback };
}

/** `null` is the live end. A count and not a time, so that steps go through events of one millisecond. */
type Place = { count: number; at: number } | null;

function usePlayback(clock: Clock, total: number): { playback: Playback; count: number } {
  const [place, setPlace] = useState<Place>(null);
  const [playing, setPlaying] = useState(false);
  const [chosen, setSpeed] = useState<number | null>(null);
  const { from, to } = clock;
  const speed = chosen ?? fittingSpeed(to - from);
  const count = place === null ? total : Math.min(place.count, total);
  const at = place === null ? to : place.at;

  const latest = useRef({ at, to, speed });
  useEffect(() => {
    latest.current = { at, to, speed };
  });
  useEffect(() => {
    if (!playing) return;
    let before = performance.now();
    let frame = requestAnimationFrame(function tick(now) {
      const { at: last, to: end, speed: pace } = latest.current;
      const next = advanceReplay(last, now - before, pace, end);
      before = now;
      setPlace({ at: next, count: clock.countAt(next) });
      if (next >= end) setPlaying(false);
      else frame = requestAnimationFrame(tick);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing, clock]);

  const seek = (wanted: number) => {
    const next = Math.max(from, Math.min(wanted, to));
    setPlace({ at: next, count: clock.countAt(next) });
  };
  const playback: Playback = {
    live: place === null,
    playing,
    speed,
    at,
    from,
    to,
    seek: (wanted) => {
      setPlaying(false);
      seek(wanted);
    },
    step: (by) => {
      setPlaying(false);
      const next = Math.max(1, Math.min(count + by, total));
      setPlace({ count: next, at: clock.timeAt(next) });
    },
    play: () => {
      // From its end there is nothing to play: it begins anew.
      if (place === null || at >= to) seek(from);
      setPlaying(true);
    },
    pause: () => setPlaying(false),
    setSpeed,
    toLive: () => {
      setPlaying(false);
      setPlace(null);
    },
  };
  return { playback, count };
}
