import type { ReactNode } from "react";
import { Link } from "react-router";

import { bytes, count, counted, duration, Facts, Panel, StatusBadge, Time } from "../../kit";
import styles from "./server.module.css";
import { WideTable } from "./WideTable";
import type { ServerState, QueueGroup } from "./state";

/** Throughput, queue and failures at a glance. */
export function Overview({ state }: { state: ServerState }) {
  const { queue, webhooks, crons, database } = state;
  const alive = state.workers.filter((worker) => worker.alive);
  const room = alive.reduce((sum, worker) => sum + (worker.concurrency ?? 0), 0);
  return (
    <div className={styles.overview}>
      <ul className={styles.tiles} aria-label="Figures">
        <Tile
          label="Running"
          value={count(queue.running)}
          note={room > 0 ? `room for ${count(room)}` : "no worker"}
          to="/runs?status=running"
        />
        <Tile
          label="Pending"
          value={count(queue.pending)}
          note={`${count(queue.due)} due now`}
          to="/runs?status=pending"
        />
        <Tile label="Oldest due" value={seconds(queue.oldest_pending_seconds)} note="in the queue" />
        <Tile label="Workers" value={count(alive.length)} note="with a lease" to="/server?tab=workers" />
        <Tile
          label="Webhooks"
          value={count(webhooks.pending)}
          note={`to send; ${count(webhooks.failed)} given up`}
          to="/server?tab=webhooks"
        />
        <Tile label="Database" value={database.bytes === null ? "–" : bytes(database.bytes)} note={database.kind} />
      </ul>
      <Panel title="Runs by status">
        <ByStatus runs={state.runs} />
      </Panel>
      {queue.waiting.length > 0 && (
        <Panel title="What waits, and for what">
          <QueueTable waiting={queue.waiting} />
        </Panel>
      )}
      <div className={styles.pair}>
        <Panel title="This process">
          <Facts
            items={[
              ["treadle", state.version],
              ["LangGraph", state.langgraph_py_version],
              ["Python", state.python_version],
              ["Host", `${state.process.host}, pid ${state.process.pid}`],
              ["Up for", duration(state.uptime_seconds * 1000)],
              [
                "Executes",
                state.process.concurrency > 0 ? `${state.process.concurrency} runs at once` : "nothing: it only serves",
              ],
              ["Open streams", count(state.process.open_streams)],
              ["Crons", `${count(crons.enabled)} on, ${count(crons.disabled)} off`],
              ["Next cron", crons.next_run_date === null ? null : <Time at={crons.next_run_date} />],
            ]}
          />
        </Panel>
        <Panel title={`Database: ${database.kind} ${database.version}`}>
          <Facts
            items={[
              ...sizes(database),
              ...Object.entries(database.rows).map(([table, rows]) => [table, counted(rows, "row")] as const),
            ]}
          />
        </Panel>
      </div>
    </div>
  );
}

function sizes(database: ServerState["database"]): (readonly [string, ReactNode])[] {
  return Object.entries(database.files ?? {}).map(([file, size]) => [`File: ${file}`, bytes(size)] as const);
}

function seconds(value: number | null): string {
  return value === null ? "–" : duration(value * 1000);
}

function Tile({ label, value, note, to }: { label: string; value: string; note: string; to?: string }) {
  const content = (
    <>
      <span className={styles.label}>{label}</span>
      <span className={styles.value}>{value}</span>
      <span className={styles.note}>{note}</span>
    </>
  );
  return (
    <li>
      {to === undefined ? (
        <div className={styles.tile}>{content}</div>
      ) : (
        <Link className={styles.tile} to={to}>
          {content}
        </Link>
      )}
    </li>
  );
}

/** A bar divided by run status, with the count of each. */
function ByStatus({ runs }: { runs: Record<string, number> }) {
  const all = Object.entries(runs);
  const sum = all.reduce((total, [, number]) => total + number, 0);
  return (
    <>
      <div className={styles.bar} aria-hidden="true">
        {all.map(([status, number]) => (
          <span key={status} data-status={status} style={{ flexGrow: sum === 0 ? 0 : number }} />
        ))}
      </div>
      <ul className={styles.statuses}>
        {all.map(([status, number]) => (
          <li key={status}>
            <Link to={`/runs?status=${status}`}>
              <StatusBadge status={status} /> {count(number)}
            </Link>
          </li>
        ))}
      </ul>
    </>
  );
}

const WHY: Record<string, string> = {
  time: "its time has not come",
  thread: "another run of its thread",
  graph: "the limit of the graph",
  key: "the limit of its key",
};

function QueueTable({ waiting }: { waiting: readonly QueueGroup[] }) {
  return (
    <WideTable label="Pending runs" heads={["Graph", "Priority", "Waits for", ">Runs", ">Oldest"]}>
      {waiting.map((each) => (
        <tr key={`${each.graph_id} ${each.priority} ${each.blocked_by ?? ""}`}>
          <td>{each.graph_id}</td>
          <td>{each.priority}</td>
          <td>{each.blocked_by === null ? "a free worker" : (WHY[each.blocked_by] ?? each.blocked_by)}</td>
          <td className={styles.end}>{count(each.runs)}</td>
          <td className={styles.end}>{seconds(each.oldest_seconds)}</td>
        </tr>
      ))}
    </WideTable>
  );
}
