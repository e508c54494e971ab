import { useState } from "react";

import { Button, Facts, JsonTree, Loaded, Time } from "../../kit";
import { useLatestState } from "./data";
import { EditState } from "./EditState";
import styles from "./thread.module.css";

/** The complete latest state. */
export function StatePane({ threadId, assistantId }: { threadId: string; assistantId: string | null }) {
  const query = useLatestState(threadId);
  const [editing, setEditing] = useState(false);
  return (
    <Loaded query={query} what="State">
      {(state) => (
        <div className={styles.pane}>
          <div className={styles.detailHead}>
            <Facts
              items={[
                ["Next", state.next.length > 0 ? state.next.join(", ") : "nothing"],
                ["Made", <Time key="at" at={state.created_at} />],
              ]}
            />
            <span className={styles.space} />
            <Button
              small
              icon="edit"
              disabled={assistantId === null}
              why="Choose an assistant below the chat first."
              onClick={() => setEditing(true)}
            >
              Edit state
            </Button>
          </div>
          <JsonTree value={state.values ?? {}} open={2} name="state" />
          {editing && (
            <EditState
              threadId={threadId}
              at={state.checkpoint}
              values={state.values}
              assistantId={assistantId}
              onClose={() => setEditing(false)}
            />
          )}
        </div>
      )}
    </Loaded>
  );
}
