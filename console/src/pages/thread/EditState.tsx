import { useState } from "react";

import { messageOf } from "../../api";
import { Button, Dialog, formatJson, JsonEditor, JsonTree, parseJson, Select } from "../../kit";
import { useNodes } from "./data";
import { updateOf } from "./edit";
import { start, write } from "./runs";
import styles from "./thread.module.css";
import type { CheckpointRef } from "./types";

type EditStateProps = {
  threadId: string;
  /** The parent checkpoint of the edited state. */
  at: CheckpointRef;
  values: unknown;
  assistantId: string | null;
  onClose: () => void;
};

const LAST = "";

/** Edits the state as JSON. Changed keys are written as if a node had returned them. */
export function EditState({ threadId, at, values, assistantId, onClose }: EditStateProps) {
  const [text, setText] = useState(() => formatJson(values ?? {}));
  const [asNode, setNode] = useState(LAST);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const nodes = useNodes(assistantId).data ?? [];
  const parsed = parseJson(text);
  const update = parsed.ok ? updateOf(values, parsed.value) : {};
  const nothing = Object.keys(update).length === 0;
  const save = async (run: boolean) => {
    setBusy(true);
    setError(null);
    try {
      await write(threadId, { values: update, asNode: asNode === LAST ? null : asNode, checkpoint: at });
      if (run && assistantId !== null) await start(threadId, { assistantId });
      onClose();
    } catch (raised) {
      setError(messageOf(raised));
    } finally {
      setBusy(false);
    }
  };
  const off = !parsed.ok || nothing;
  const why = parsed.ok ? "Nothing was changed." : "The state is not valid JSON.";
  const actions = (
    <>
      <Button onClick={onClose}>Cancel</Button>
      <Button busy={busy} disabled={off} why={why} onClick={() => void save(false)}>
        Save
      </Button>
      <Button
        kind="primary"
        icon="runs"
        busy={busy}
        disabled={off || assistantId === null}
        why={why}
        onClick={() => void save(true)}
      >
        Save and resume
      </Button>
    </>
  );
  return (
    <Dialog title="Edit the state" open onClose={onClose} actions={actions} wide>
      <JsonEditor label="State" value={text} onChange={setText} rows={14} error={error} />
      <Select
        label="As if written by"
        options={[
          { value: LAST, label: "the node that ran last" },
          ...nodes.map((node) => ({ value: node, label: node })),
        ]}
        value={asNode}
        onChange={setNode}
      />
      <div className={styles.update}>
        <h3>{nothing ? "Nothing to write yet" : "This will be written"}</h3>
        {!nothing && <JsonTree value={update} open={2} />}
        <p className="muted">
          The graph's reducers take it: a key that adds up its values gets what is written added. What comes next
          follows from the node that it is written as.
        </p>
      </div>
    </Dialog>
  );
}
