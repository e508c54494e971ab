import { Badge, count, CopyId, duration, Empty, Time, useNow } from "../../kit";
import styles from "./server.module.css";
import { WideTable } from "./WideTable";
import type { ServerState, WorkerState } from "./state";

/** The workers that execute runs, and when the lease of each expires. */
export function Workers({ state }: { state: ServerState }) {
  if (state.workers.length === 0) {
    return (
      <Empty title="No worker has a lease">
        <p>
          Runs wait until one comes: start <code>treadle worker</code> on the same database, or{" "}
          <code>treadle serve</code> without <code>--workers 0</code>.
        </p>
      </Empty>
    );
  }
  return (
    <WideTable label="Workers" heads={["Worker", "Host", "Lease", ">Running", ">At most", "Started", "Version"]}>
      {state.workers.map((worker) => (
        <Row key={worker.worker_id} worker={worker} asked={Date.parse(state.now)} />
      ))}
    </WideTable>
  );
}

function Row({ worker, asked }: { worker: WorkerState; asked: number }) {
  return (
    <tr>
      <td>
        <CopyId id={worker.worker_id} what="worker id" full />
      </td>
      <td>{worker.host === null ? "–" : `${worker.host}, pid ${worker.pid ?? "?"}`}</td>
      <td>
        <Lease key={asked} worker={worker} />
      </td>
      <td className={styles.end}>{count(worker.running)}</td>
      <td className={styles.end}>{worker.concurrency === null ? "–" : count(worker.concurrency)}</td>
      <td>
        <Time at={worker.started_at} />
      </td>
      <td>{worker.version ?? "–"}</td>
    </tr>
  );
}

/** Counts down by the server's clock, which may differ from the browser's. */
function Lease({ worker }: { worker: WorkerState }) {
  const now = useNow(1000);
  const since = useNow(null);
  const left = worker.lease_seconds * 1000 - (now - since);
  if (!worker.alive || left <= 0) return <Badge tone="bad">over: its runs go on elsewhere</Badge>;
  return <Badge tone="good">{duration(left)} left</Badge>;
}
