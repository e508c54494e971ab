import { SPEEDS } from "../../events";
import { Badge, Button, count, duration, IconButton, Select, useHotkeys } from "../../kit";
import styles from "./run.module.css";
import type { RunShown } from "./useRunView";

const SPEED_OPTIONS = SPEEDS.map((speed) => ({ value: String(speed), label: `${speed}×` }));

/** A slider over the time of the run's events. While the run goes on it stays at the live end until it is moved. */
export function ReplayBar({ shown }: { shown: RunShown }) {
  const { playback, count: seen, total, feed } = shown;
  const { from, to, at, playing, live } = playback;
  const toggle = () => (playing ? playback.pause() : playback.play());
  useHotkeys([
    { key: "p", does: "Play or pause the replay", run: toggle },
    { key: ",", does: "One event back", run: () => playback.step(-1) },
    { key: ".", does: "One event on", run: () => playback.step(1) },
    { key: "e", does: "To the end of the run", run: playback.toLive },
  ]);
  const over = feed.phase === "ended" || feed.phase === "failed";
  const said = `${duration(at - from)} of ${duration(to - from)}, event ${count(seen)} of ${count(total)}`;
  return (
    <div role="group" aria-label="Replay" className={styles.replay}>
      <Button small icon={playing ? "pause" : "runs"} onClick={toggle} disabled={total === 0}>
        {playing ? "Pause" : "Play"}
      </Button>
      <IconButton small icon="left" label="One event back" onClick={() => playback.step(-1)} />
      <IconButton small icon="right" label="One event on" onClick={() => playback.step(1)} />
      <input
        type="range"
        className={styles.slider}
        aria-label="Time in the run"
        aria-valuetext={said}
        min={0}
        max={Math.max(1, to - from)}
        step={1}
        value={Math.round(at - from)}
        onChange={(event) => playback.seek(from + Number(event.target.value))}
      />
      <span className={styles.position} data-testid="position">
        <span>
          {duration(Math.max(0, at - from))} <span className="muted">/ {duration(to - from)}</span>
        </span>
        <span className="muted">
          {count(seen)} / {count(total)} events
        </span>
      </span>
      <Select
        label="Speed"
        hideLabel
        options={SPEED_OPTIONS}
        value={String(playback.speed)}
        onChange={(value) => playback.setSpeed(Number(value))}
      />
      {live ? (
        <Badge tone={over ? "idle" : "busy"}>{over ? "at the end" : "live"}</Badge>
      ) : (
        <Button small kind="primary" onClick={playback.toLive}>
          {over ? "To the end" : "Go live"}
        </Button>
      )}
    </div>
  );
}
