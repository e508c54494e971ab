import { useState } from "react";
import { Link } from "react-router";

import { Badge, Button, CopyId, Facts, JsonTree, Loaded, Time, useUrl } from "../../kit";
import { refOf, useStateAt } from "./data";
import { EditState } from "./EditState";
import { ForkDialog } from "./ForkDialog";
import { labelOf, type Checkpoint } from "./history";
import { start } from "./runs";
import styles from "./thread.module.css";
import type { Task, ThreadState } from "./types";
import { useAction } from "./useAction";

type CheckpointViewProps = {
  threadId: string;
  checkpoint: Checkpoint;
  latest: boolean;
  assistantId: string | null;
  comparing: boolean;
};

/** One checkpoint: its origin, next nodes, state and actions. */
export function CheckpointView({ threadId, checkpoint, latest, assistantId, comparing }: CheckpointViewProps) {
  const state = useStateAt(threadId, checkpoint);
  const [dialog, setDialog] = useState<"fork" | "edit" | null>(null);
  const { busy, act } = useAction();
  const at = refOf(threadId, checkpoint.id, checkpoint.namespace);
  const why = assistantId === null ? "Choose an assistant below the chat first." : undefined;
  const replay = () =>
    act("The run could not be started", () => start(threadId, { assistantId: assistantId ?? "", checkpoint: at }));
  return (
    <section className={styles.detail} aria-label="Checkpoint">
      <div className={styles.detailHead}>
        <h2>{labelOf(checkpoint)}</h2>
        <span className={styles.space} />
        <Button
          small
          icon="refresh"
          busy={busy}
          disabled={assistantId === null || checkpoint.next.length === 0}
          why={why ?? "Nothing comes after this checkpoint: give it a new input."}
          onClick={() => void replay()}
        >
          {latest ? "Go on from here" : "Replay from here"}
        </Button>
        <Button small icon="fork" disabled={assistantId === null} why={why} onClick={() => setDialog("fork")}>
          Run with new input
        </Button>
        <Button
          small
          icon="edit"
          onClick={() => setDialog("edit")}
          disabled={state.data === undefined}
          why="The state is not loaded yet."
        >
          Edit state
        </Button>
      </div>
      {comparing && <p className="muted">Select another checkpoint to compare this one with.</p>}
      <Facts
        items={[
          ["Checkpoint", <CopyId key="id" id={checkpoint.id} what="checkpoint id" />],
          ["Step", checkpoint.step === null ? null : `${checkpoint.step} (${checkpoint.source})`],
          ["Made", <Time key="at" at={checkpoint.at} />],
          ["Run", checkpoint.runId !== null && <RunLink threadId={threadId} runId={checkpoint.runId} />],
          ["Next", checkpoint.next.length > 0 ? checkpoint.next.join(", ") : "nothing"],
        ]}
      />
      <Tasks tasks={checkpoint.state.tasks} />
      <Loaded query={state} what="State">
        {(found: ThreadState) => <JsonTree value={found.values ?? {}} open={2} name="state" />}
      </Loaded>
      {dialog === "fork" && assistantId !== null && (
        <ForkDialog threadId={threadId} at={at} assistantId={assistantId} onClose={() => setDialog(null)} />
      )}
      {dialog === "edit" && state.data !== undefined && (
        <EditState
          threadId={threadId}
          at={at}
          values={state.data.values}
          assistantId={assistantId}
          onClose={() => setDialog(null)}
        />
      )}
    </section>
  );
}

function RunLink({ threadId, runId }: { threadId: string; runId: string }) {
  return (
    <span className={styles.inline}>
      <Link to={`/threads/${threadId}/runs/${runId}`}>open</Link> <CopyId id={runId} what="run id" />
    </span>
  );
}

/** The tasks of a checkpoint with their errors, interrupts, results and links to subgraphs. */
function Tasks({ tasks }: { tasks: readonly Task[] }) {
  const url = useUrl();
  if (tasks.length === 0) return null;
  return (
    <ul className={styles.tasks} aria-label="Tasks">
      {tasks.map((task) => {
        const inside = task.checkpoint?.checkpoint_ns ?? null;
        return (
          <li key={task.id}>
            <div className={styles.inline}>
              <strong>{task.name}</strong>
              {task.error && <Badge tone="bad">failed</Badge>}
              {task.interrupts.length > 0 && <Badge tone="warn">asks</Badge>}
              {inside !== null && inside !== "" && (
                <Button small icon="right" onClick={() => url.set({ ns: inside, at: "", with: "" }, { push: true })}>
                  Open subgraph
                </Button>
              )}
            </div>
            {task.error && <p className={styles.bad}>{task.error}</p>}
            {task.interrupts.map((interrupt, index) => (
              <JsonTree key={interrupt.id ?? index} value={interrupt.value} open={1} name="asks" />
            ))}
            {task.result !== null && task.result !== undefined && (
              <JsonTree value={task.result} open={0} name="result" />
            )}
          </li>
        );
      })}
    </ul>
  );
}
