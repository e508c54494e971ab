import type { Run } from "@langchain/langgraph-sdk";
import { Link } from "react-router";

import { Badge, CopyId, Duration, StatusBadge } from "../../kit";
import type { Overview } from "./queries";
import styles from "./run.module.css";
import { statusOf } from "./status";
import type { RunShown } from "./useRunView";

/** Beside the heading: how the run stands, of which assistant it is, for how long it goes or went. */
export function RunSummary({ run, overview, shown }: { run: Run; overview: Overview | undefined; shown: RunShown }) {
  const status = statusOf(run, shown);
  const { from } = shown.playback;
  const attempt = Math.max(overview?.attempt ?? 0, shown.view.summary.attempt);
  const begun = from > 0 ? from : overview?.started_at;
  const over = status !== "running" && status !== "pending";
  const ended = shown.feed.phase === "ended" ? shown.playback.to : (overview?.finished_at ?? run.updated_at);
  return (
    <div className={styles.aside}>
      <span data-testid="status">
        <StatusBadge status={status} />
      </span>
      {overview?.stopped_at_interrupt && (
        <Link to={`/threads/${run.thread_id}`} className={styles.badgeLink}>
          <Badge tone="warn">waits for an answer</Badge>
        </Link>
      )}
      {overview?.cancelling && !over && <Badge tone="warn">being cancelled</Badge>}
      {begun ? <Duration from={begun} to={over ? ended : null} /> : null}
      {attempt > 1 && <Badge tone="warn">attempt {attempt}</Badge>}
      <Link to={`/assistants/${run.assistant_id}`}>{graphOf(run, overview)}</Link>
      <CopyId id={run.run_id} what="run id" />
    </div>
  );
}

function graphOf(run: Run, overview: Overview | undefined): string {
  const said = (run.metadata as Record<string, unknown> | null)?.graph_id;
  return overview?.graph_id ?? (typeof said === "string" ? said : "assistant");
}
