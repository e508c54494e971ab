import { Link } from "react-router";

import { Badge, CopyId, Duration, shortId, StatusBadge, Time, type Column } from "../../kit";
import { RowMenu } from "./RowMenu";
import type { RunActions } from "./useActions";
import { isActive, type RunRow } from "./run";
import styles from "./runs.module.css";

/** The columns of the list; narrow screens keep the status, the assistant and what can be done. */
export function columnsFor(actions: RunActions): Column<RunRow>[] {
  return [
    { key: "status", header: "Status", width: "minmax(110px, 1.4fr)", cell: (run) => <Status run={run} /> },
    { key: "graph", header: "Assistant", width: "minmax(80px, 1fr)", cell: (run) => <Assistant run={run} /> },
    { key: "run", header: "Run", width: "130px", from: 900, cell: (run) => <CopyId id={run.run_id} what="run id" /> },
    { key: "thread", header: "Thread", width: "110px", from: 760, cell: (run) => <Thread run={run} /> },
    { key: "tags", header: "Tags", width: "minmax(80px, 1fr)", from: 980, cell: (run) => <Tags run={run} /> },
    {
      key: "attempts",
      header: "Attempts",
      width: "74px",
      from: 640,
      align: "end",
      cell: (run) => <Attempts run={run} />,
    },
    {
      key: "duration",
      header: "Duration",
      width: "90px",
      from: 480,
      align: "end",
      sort: "duration",
      cell: (run) => <RunDuration run={run} />,
    },
    {
      key: "created",
      header: "Created",
      width: "100px",
      from: 420,
      align: "end",
      sort: "created_at",
      cell: (run) => <Time at={run.created_at} />,
    },
    { key: "menu", header: "", width: "32px", cell: (run) => <RowMenu run={run} actions={actions} /> },
  ];
}

const WAITS: Record<NonNullable<RunRow["blocked_by"]>, string> = {
  time: "for its time",
  thread: "behind its thread",
  graph: "limit of the graph",
  key: "limit of its key",
};

function Status({ run }: { run: RunRow }) {
  return (
    <span className={styles.status}>
      <StatusBadge status={run.status} />
      {run.stopped_at_interrupt && (
        <Badge tone="warn" title="It waits for an answer">
          asks
        </Badge>
      )}
      {run.cancelling && <span className={styles.note}>stopping…</span>}
      {run.status === "pending" && run.blocked_by && <span className={styles.note}>{WAITS[run.blocked_by]}</span>}
      {run.error && (
        <span className={styles.error} title={`${run.error.error}: ${run.error.message}`}>
          {run.error.message || run.error.error}
        </span>
      )}
    </span>
  );
}

function Assistant({ run }: { run: RunRow }) {
  return <Link to={`/assistants/${run.assistant_id}`}>{run.graph_id}</Link>;
}

function Thread({ run }: { run: RunRow }) {
  return (
    <Link to={`/threads/${run.thread_id}`} title={run.thread_id} className="mono">
      {shortId(run.thread_id)}
    </Link>
  );
}

function Tags({ run }: { run: RunRow }) {
  return (
    <span className={styles.tags} title={run.tags.join(", ")}>
      {run.tags.map((tag) => (
        <Badge key={tag}>{tag}</Badge>
      ))}
    </span>
  );
}

function Attempts({ run }: { run: RunRow }) {
  const lost = run.crashes === 0 ? "" : `, ${run.crashes} lost with a worker`;
  return (
    <span className={styles.number} title={`${run.attempt} begun${lost}`}>
      {run.attempt}
    </span>
  );
}

/** How long it ran, or has been running; before it starts, nothing. */
function RunDuration({ run }: { run: RunRow }) {
  if (run.started_at === null) return <span className="muted">–</span>;
  if (isActive(run)) return <Duration from={run.started_at} />;
  return <Duration ms={(run.duration_seconds ?? 0) * 1000} />;
}
