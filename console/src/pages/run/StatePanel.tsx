import type { ThreadState } from "@langchain/langgraph-sdk";

import { type GraphState, type States } from "../../events";
import { Badge, clock, Empty, JsonTree, Select, useUrl } from "../../kit";
import styles from "./run.module.css";
import type { RunShown } from "./useRunView";

type StateProps = { shown: RunShown; history: readonly ThreadState[] | undefined };

/** The state as it was last said; of subgraphs too. */
export function StatePanel({ shown, history }: StateProps) {
  const url = useUrl();
  const { states } = shown.view;
  const graphs = [...states.graphs];
  const root = states.graphs.get("") ?? fromHistory(history, shown.playback.at);
  const chosen = graphs.find(([namespace]) => namespace !== "" && namespace === url.get("graph"))?.[1] ?? root;
  if (!chosen) return <WithoutState states={states} over={shown.feed.phase === "ended"} />;
  return (
    <div className={styles.scrolls}>
      <div className={styles.bar}>
        {graphs.length > 1 && (
          <Select
            label="Graph"
            hideLabel
            options={graphs.map(([namespace, { path }]) => ({
              value: namespace || "root",
              label: path.length > 0 ? path.join(" › ") : "the graph itself",
            }))}
            value={url.get("graph") || "root"}
            onChange={(value) => url.set({ graph: value === "root" ? null : value })}
          />
        )}
        <span className="muted">
          from {chosen.source}, at {clock(chosen.at)}
        </span>
        {states.interrupts.length > 0 && <Badge tone="warn">interrupted</Badge>}
      </div>
      {states.interrupts.length > 0 && <JsonTree name="interrupts" value={states.interrupts} open={3} />}
      <JsonTree key={url.get("graph")} name="state" value={chosen.values} open={2} />
    </div>
  );
}

type Told = Pick<GraphState, "values" | "at"> & { source: string };

/** The state of the last checkpoint that the run had written by then. */
function fromHistory(history: readonly ThreadState[] | undefined, at: number): Told | null {
  for (const each of history ?? []) {
    const written = Date.parse(each.created_at ?? "");
    if (written <= at) return { values: each.values, at: written, source: "the thread’s history" };
  }
  return null;
}

function WithoutState({ states, over }: { states: States; over: boolean }) {
  if (Object.keys(states.updates).length === 0) {
    return over ? (
      <Empty title="The run’s log holds no state">
        <p>Stream the mode values or checkpoints to see it here. The thread has its state.</p>
      </Empty>
    ) : (
      <Empty title="No state yet" />
    );
  }
  return (
    <div className={styles.scrolls}>
      <div className={styles.bar}>
        <span className="muted">The log holds no state; this is what each node gave last.</span>
      </div>
      <JsonTree name="updates" value={states.updates} open={2} />
    </div>
  );
}
