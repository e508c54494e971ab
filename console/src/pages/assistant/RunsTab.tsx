import { useNavigate } from "react-router";

import {
  Button,
  ButtonLink,
  CopyId,
  Duration,
  Empty,
  Loaded,
  Panel,
  StatusBadge,
  Time,
  VirtualTable,
  type Column,
} from "../../kit";
import styles from "./assistant.module.css";
import { useLatestRuns, type RunRow } from "./data";

/** The latest runs of one assistant; all of them are on the runs' page. */
export function RunsTab({ assistantId, onStart }: { assistantId: string; onStart: () => void }) {
  const runs = useLatestRuns(assistantId);
  const navigate = useNavigate();
  const open = (run: RunRow, aside: boolean) => {
    const path = `threads/${run.thread_id}/runs/${run.run_id}`;
    if (aside) window.open(new URL(path, document.baseURI), "_blank", "noopener");
    else void navigate(`/${path}`);
  };
  return (
    <div className={styles.column}>
      <div className={styles.bar}>
        <span className="muted">The latest runs of it</span>
        <ButtonLink small to={`/runs?assistant=${encodeURIComponent(assistantId)}`}>
          All its runs
        </ButtonLink>
      </div>
      <Panel fill bare label="Latest runs">
        <Loaded query={runs} what="The runs">
          {(known) => (
            <VirtualTable
              label="Latest runs"
              rows={known}
              rowKey={(run) => run.run_id}
              columns={COLUMNS}
              onOpen={open}
              empty={
                <Empty
                  title="No runs yet"
                  actions={
                    <Button kind="primary" onClick={onStart}>
                      Start one
                    </Button>
                  }
                >
                  <p>Whatever starts a run of this assistant, it appears here.</p>
                </Empty>
              }
            />
          )}
        </Loaded>
      </Panel>
    </div>
  );
}

const COLUMNS: readonly Column<RunRow>[] = [
  {
    key: "status",
    header: "Status",
    width: "minmax(96px, 1fr)",
    cell: (run) => <StatusBadge status={run.status} />,
  },
  { key: "run", header: "Run", width: "minmax(84px, 150px)", cell: (run) => <CopyId id={run.run_id} what="run id" /> },
  {
    key: "thread",
    header: "Thread",
    width: "150px",
    from: 560,
    cell: (run) => <CopyId id={run.thread_id} what="thread id" />,
  },
  {
    key: "took",
    header: "Duration",
    width: "90px",
    from: 420,
    align: "end",
    cell: (run) => <Duration from={run.started_at} to={run.finished_at} />,
  },
  { key: "created", header: "Created", width: "76px", align: "end", cell: (run) => <Time at={run.created_at} /> },
];
