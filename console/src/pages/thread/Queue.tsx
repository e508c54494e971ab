import { Link } from "react-router";

import { Button, CopyId, StatusBadge } from "../../kit";
import { stop } from "./runs";
import styles from "./thread.module.css";
import type { RunRow } from "./types";
import { useAction } from "./useAction";

/** The pending runs of the thread. */
export function Queue({ threadId, runs, live }: { threadId: string; runs: readonly RunRow[]; live: string | null }) {
  const waiting = runs.filter((run) => run.status === "pending" && run.run_id !== live).reverse();
  if (waiting.length === 0) return null;
  return (
    <ul className={styles.queue} aria-label="Runs that wait">
      {waiting.map((run) => (
        <Queued key={run.run_id} threadId={threadId} run={run} />
      ))}
    </ul>
  );
}

function Queued({ threadId, run }: { threadId: string; run: RunRow }) {
  const { busy, act } = useAction();
  return (
    <li className={styles.going}>
      <StatusBadge status="pending" />
      <Link to={`/threads/${threadId}/runs/${run.run_id}`}>Run</Link>
      <CopyId id={run.run_id} what="run id" />
      <span className="muted">waits for its turn</span>
      <Button
        small
        kind="quiet"
        icon="stop"
        busy={busy}
        onClick={() => void act("The run could not be cancelled", () => stop(threadId, run.run_id))}
      >
        Cancel
      </Button>
    </li>
  );
}
