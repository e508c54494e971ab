import { describe, expect, test } from "vitest";

import type { LoggedEvent } from "./event";
import { anyLog, randomFrom } from "./fixtures";
import { Replay } from "./replay";
import { runFold, type RunView } from "./view";

function folded(events: readonly LoggedEvent[]): RunView {
  const view = runFold.start();
  for (const event of events) runFold.take(view, event);
  return view;
}

const SEEDS = Array.from({ length: 25 }, (_, index) => index * 7919 + 1);

describe.each(SEEDS)("any log (%i)", (seed) => {
  const log = anyLog(seed, 120);

  test("folds to the same in batches of any size, also when states between are kept", () => {
    const random = randomFrom(seed);
    const growing: LoggedEvent[] = [];
    const replay = new Replay(runFold, growing);
    while (growing.length < log.length) {
      growing.push(...log.slice(growing.length, growing.length + 1 + random(17)));
      replay.at(growing.length);
    }
    expect(replay.at(log.length)).toEqual(folded(log));
  });

  test("is the same when events come twice", () => {
    const random = randomFrom(seed + 1);
    const repeated = log.flatMap((event, index) =>
      random(3) === 0 ? [event, ...log.slice(Math.max(0, index - 3), index + 1)] : [event],
    );
    expect(folded(repeated)).toEqual(folded(log));
  });

  test("is at every place what folding from the beginning makes of it", () => {
    const random = randomFrom(seed + 2);
    const replay = new Replay(runFold, log);
    for (let tries = 0; tries < 25; tries += 1) {
      const count = random(log.length + 1);
      expect(replay.at(count)).toEqual(folded(log.slice(0, count)));
    }
  });

  test("changes no state that was given out", () => {
    const replay = new Replay(runFold, log);
    const half = replay.at(60);
    const before = structuredClone({ ...half, transcript: null });
    replay.at(log.length);
    replay.at(10);
    expect({ ...half, transcript: null }).toEqual(before);
  });

  test("has no span that runs after the end, none that ends before it begins", () => {
    for (const span of folded(log).timeline.spans.values()) {
      expect(span.status).not.toBe("running");
      expect(span.to ?? -1).toBeGreaterThanOrEqual(span.from);
    }
  });
});

test("snapshots of a very long log stay few, and going back is right", () => {
  const log = anyLog(5, 40_000);
  const replay = new Replay(runFold, log);
  replay.at(log.length);
  const kept = (replay as unknown as { kept: unknown[] }).kept.length;
  expect(kept).toBeGreaterThan(10);
  expect(kept).toBeLessThan(50);
  expect(replay.at(1234).seq).toBe(1234);
  expect(replay.at(1234).timeline).toEqual(folded(log.slice(0, 1234)).timeline);
});
