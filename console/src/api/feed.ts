import { useEffect, useMemo, useSyncExternalStore } from "react";

import { address } from "./address";
import { credentials } from "./credentials";
import { ApiError, UnreachableError, messageOf } from "./errors";
import { FrameDecoder, type Frame } from "./sse";
import { transport } from "./transport";

/**
 * One event of a run's log. `seq` counts from 1 without gaps over all attempts; `at` is the event's time in milliseconds.
 * `event` is the full name (`updates|sub:…`), `mode` its first part, `namespace` the rest.
 */
export type FeedEvent = {
  seq: number;
  at: number;
  id: string;
  event: string;
  mode: string;
  namespace: readonly string[];
  data: unknown;
};

/** `ended` holds the run's final status; `failed` is permanent: the run is deleted or access is denied. */
export type FeedState =
  | { phase: "connecting" }
  | { phase: "live" }
  | { phase: "reconnecting"; tries: number; reason: string; retryAt: number }
  | { phase: "ended"; status: string }
  | { phase: "failed"; error: unknown };

/** A snapshot of a feed. `events` is always the same growing array; compare `count` to find new events. */
export type FeedSnapshot = { events: readonly FeedEvent[]; count: number; missing: number; state: FeedState };

/** Without a byte for this long, not even a heartbeat (5 s by default), the connection is considered dead. */
const SILENCE_MS = 30_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/**
 * All events of a run from the first, then live. After a lost connection or a server restart it reconnects with the id of
 * the last event until it succeeds, and drops repeated events. Listeners are notified at most once per frame.
 */
export class RunFeed {
  private readonly events: FeedEvent[] = [];
  private readonly listeners = new Set<() => void>();
  private stopped = new AbortController();
  private snapshot: FeedSnapshot = { events: this.events, count: 0, missing: 0, state: { phase: "connecting" } };
  private state: FeedState = { phase: "connecting" };
  private lastSeq = 0;
  private lastId = "0";
  private missing = 0;
  private due = false;
  private wake: (() => void) | null = null;
  private readonly path: string;

  constructor(threadId: string, runId: string) {
    this.path = `/threads/${encodeURIComponent(threadId)}/runs/${encodeURIComponent(runId)}/stream`;
  }

  /** Start, or continue after `close`. */
  start(): void {
    this.stopped = new AbortController();
    void this.follow(this.stopped.signal);
  }

  close(): void {
    this.stopped.abort();
    this.wake?.();
  }

  /** Skip the pause before the next attempt; start again after a failure. */
  retry = (): void => {
    if (this.state.phase === "failed") {
      this.enter({ phase: "connecting" });
      this.start();
    }
    this.wake?.();
  };

  get = (): FeedSnapshot => this.snapshot;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private async follow(stopped: AbortSignal): Promise<void> {
    if (this.isOver()) return;
    let tries = 0;
    while (!isAborted(stopped)) {
      const before = this.lastSeq;
      const error = await this.read(stopped).catch((raised: unknown) => raised);
      if (isAborted(stopped) || this.isOver()) return;
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) {
        this.enter({ phase: "failed", error });
        return;
      }
      tries = this.lastSeq > before ? 1 : tries + 1;
      await this.pause(tries, error);
    }
  }

  private isOver(): boolean {
    return this.state.phase === "ended" || this.state.phase === "failed";
  }

  private async pause(tries: number, error: unknown): Promise<void> {
    const ms = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS) * (0.75 + Math.random() / 2);
    const reason = error === undefined ? "The connection was closed." : messageOf(error);
    this.enter({ phase: "reconnecting", tries, reason, retryAt: Date.now() + ms });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = null;
  }

  /** Read one connection to its end. Resolves when the server closes it; raises when it breaks. */
  private async read(stopped: AbortSignal): Promise<undefined> {
    const cut = new AbortController();
    const signal = AbortSignal.any([stopped, cut.signal]);
    const silent = () => cut.abort(new UnreachableError("The server stopped sending data."));
    let timer = setTimeout(silent, SILENCE_MS);
    try {
      // `treadle-events: 1` adds the log's `end` event, so a closed connection is never mistaken for the end of the run.
      const headers = { "last-event-id": this.lastId, "treadle-events": "1", accept: "text/event-stream" };
      const response = await transport(address(this.path), { headers, signal });
      if (response.body === null) throw new UnreachableError("The server sent an empty response.");
      this.enter({ phase: "live" });
      const decoder = new FrameDecoder();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return undefined;
        clearTimeout(timer);
        timer = setTimeout(silent, SILENCE_MS);
        for (const frame of decoder.push(value)) this.take(frame);
        if (this.isOver()) {
          void reader.cancel();
          return undefined;
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  private take(frame: Frame): void {
    const event = read(frame);
    if (event.mode === "gap") {
      this.missing = Math.max(this.missing, firstKept(event.data) - 1 - this.lastSeq);
      this.lastSeq = Math.max(this.lastSeq, firstKept(event.data) - 1);
      return;
    }
    const numbered = event.seq > 0;
    if (numbered && event.seq <= this.lastSeq) return;
    if (numbered) {
      this.lastSeq = event.seq;
      this.lastId = event.id;
    }
    this.events.push(event);
    if (event.mode === "end") this.enter({ phase: "ended", status: endStatus(event.data) });
    else this.changed();
  }

  private enter(state: FeedState): void {
    this.state = state;
    this.changed();
  }

  /** Notify listeners with the next frame; in a hidden tab, which draws no frames, by a timer. */
  private changed(): void {
    if (this.due) return;
    this.due = true;
    const publish = () => {
      this.due = false;
      this.snapshot = { events: this.events, count: this.events.length, missing: this.missing, state: this.state };
      for (const listener of [...this.listeners]) listener();
    };
    if (document.visibilityState === "visible") requestAnimationFrame(publish);
    else setTimeout(publish, 250);
  }
}

/** Follow a run while the component is mounted. */
export function useRunFeed(threadId: string, runId: string): FeedSnapshot & { retry: () => void } {
  const feed = useMemo(() => new RunFeed(threadId, runId), [threadId, runId]);
  useEffect(() => {
    feed.start();
    const forget = credentials.subscribe(feed.retry);
    return () => {
      forget();
      feed.close();
    };
  }, [feed]);
  const snapshot = useSyncExternalStore(feed.subscribe, feed.get);
  return { ...snapshot, retry: feed.retry };
}

/** Parse a frame into an event. Control frames (`gap`) have no id and get seq 0. */
export function read(frame: Frame): FeedEvent {
  const [mode = "", ...namespace] = frame.event.split("|");
  const [ms = "0", seq = "0"] = frame.id.split("-");
  const data: unknown = frame.data === "" ? null : JSON.parse(frame.data);
  return { seq: Number(seq), at: Number(ms) || Date.now(), id: frame.id, event: frame.event, mode, namespace, data };
}

/** Read through a function because the compiler narrows `signal.aborted` and misses later changes. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function endStatus(data: unknown): string {
  return data !== null && typeof data === "object" && "status" in data ? String(data.status) : "success";
}

function firstKept(data: unknown): number {
  return data !== null && typeof data === "object" && "first_seq" in data ? Number(data.first_seq) : 1;
}
