import { Badge, CopyId, StatusBadge, Time, type Column } from "../../kit";
import { lineOf, questionsOf, type ThreadRow } from "./preview";
import styles from "./threads.module.css";

export const COLUMNS: Column<ThreadRow>[] = [
  {
    key: "status",
    header: "Status",
    width: "minmax(122px, 1.2fr)",
    sort: "status",
    cell: (thread) => <Status thread={thread} />,
  },
  {
    key: "says",
    header: "Conversation",
    width: "minmax(110px, 3fr)",
    cell: (thread) => <Conversation thread={thread} />,
  },
  {
    key: "graph",
    header: "Graph",
    width: "minmax(80px, 1fr)",
    from: 600,
    cell: ({ metadata }) =>
      typeof metadata?.graph_id === "string" ? metadata.graph_id : <span className="muted">–</span>,
  },
  {
    key: "metadata",
    header: "Metadata",
    width: "minmax(100px, 1.4fr)",
    from: 900,
    cell: (thread) => <Metadata thread={thread} />,
  },
  {
    key: "id",
    header: "Thread",
    width: "130px",
    from: 700,
    cell: (thread) => <CopyId id={thread.thread_id} what="thread id" />,
  },
  {
    key: "created",
    header: "Created",
    width: "100px",
    from: 1050,
    align: "end",
    sort: "created_at",
    cell: (thread) => <Time at={thread.created_at} />,
  },
  {
    key: "updated",
    header: "Changed",
    width: "100px",
    from: 460,
    align: "end",
    sort: "updated_at",
    cell: (thread) => <Time at={thread.updated_at} />,
  },
];

function Status({ thread }: { thread: ThreadRow }) {
  const questions = questionsOf(thread);
  return (
    <span className={styles.status}>
      <StatusBadge status={thread.status} />
      {questions > 0 && (
        <Badge tone="warn" title="It waits for an answer">
          {questions}
        </Badge>
      )}
    </span>
  );
}

function Conversation({ thread }: { thread: ThreadRow }) {
  const first = lineOf(thread.extracted.first);
  const last = lineOf(thread.extracted.last);
  return (
    <span className={styles.line} title={last}>
      {first || <span className="muted">no messages</span>}
      {last !== first && <span className="muted"> — {last}</span>}
    </span>
  );
}

const ITS_OWN = new Set(["graph_id", "assistant_id"]);

/** Its metadata but what the server puts there itself, as `key=value`, which the search understands. */
function Metadata({ thread }: { thread: ThreadRow }) {
  const shown = Object.entries(thread.metadata ?? {}).filter(([key]) => !ITS_OWN.has(key));
  const text = shown
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("  ");
  return (
    <span className={styles.metadata} title={text}>
      {text}
    </span>
  );
}
