import { Link } from "react-router";

import { Badge, Button, Duration, Empty, Loaded, shortId, StatusBadge, Time } from "../../kit";
import type { useRuns } from "./data";
import styles from "./thread.module.css";
import type { RunRow } from "./types";

/** The thread's runs, newest first. */
export function RunsPane({ query }: { query: ReturnType<typeof useRuns> }) {
  return (
    <Loaded query={query} what="Runs">
      {(data) => {
        const runs = data.pages.flat();
        if (runs.length === 0) {
          return (
            <Empty title="No runs yet">
              <p>Say something in the chat, or start one from an assistant.</p>
            </Empty>
          );
        }
        return (
          <ul className={styles.runs} aria-label="Runs">
            {runs.map((run) => (
              <li key={run.run_id}>
                <OneRun run={run} />
              </li>
            ))}
            {query.hasNextPage && (
              <li>
                <Button small kind="quiet" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  Older runs
                </Button>
              </li>
            )}
          </ul>
        );
      }}
    </Loaded>
  );
}

function OneRun({ run }: { run: RunRow }) {
  return (
    <Link to={`/threads/${run.thread_id}/runs/${run.run_id}`} className={styles.run}>
      <StatusBadge status={run.status} />
      {run.stopped_at_interrupt && <Badge tone="warn">asks</Badge>}
      <span className={styles.runId}>{shortId(run.run_id)}</span>
      {run.error && <span className={styles.runError}>{run.error.error}</span>}
      <span className={styles.space} />
      {(run.attempt ?? 1) > 1 && <span className="muted">attempt {run.attempt}</span>}
      {run.started_at && (
        <span className={styles.took}>
          <Duration from={run.started_at} to={run.finished_at ?? null} />
        </span>
      )}
      <span className={styles.when}>
        <Time at={run.created_at} />
      </span>
    </Link>
  );
}
