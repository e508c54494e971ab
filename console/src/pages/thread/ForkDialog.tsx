import { useState } from "react";

import { Button, Dialog, JsonEditor, parseJson, Segments, TextArea } from "../../kit";
import { useInputKeys } from "./data";
import { start } from "./runs";
import styles from "./thread.module.css";
import type { CheckpointRef } from "./types";
import { useAction } from "./useAction";

type ForkDialogProps = { threadId: string; at: CheckpointRef; assistantId: string; onClose: () => void };

/** Starts a run with new input from an earlier checkpoint, which adds a branch to the history. */
export function ForkDialog({ threadId, at, assistantId, onClose }: ForkDialogProps) {
  const hasMessages = useInputKeys(assistantId).data?.includes("messages") ?? false;
  const [chosen, setForm] = useState<"message" | "json" | null>(null);
  const [text, setText] = useState("");
  const [json, setJson] = useState("{}");
  const { busy, act } = useAction();
  const form = chosen ?? (hasMessages ? "message" : "json");
  const parsed = parseJson(json);
  const ready = form === "message" ? text.trim() !== "" : parsed.ok;
  const go = async () => {
    const input =
      form === "message" ? { messages: [{ type: "human", content: text }] } : parsed.ok ? parsed.value : null;
    if (await act("The run could not be started", () => start(threadId, { assistantId, input, checkpoint: at })))
      onClose();
  };
  const actions = (
    <>
      <Button onClick={onClose}>Cancel</Button>
      <Button
        kind="primary"
        icon="fork"
        busy={busy}
        disabled={!ready}
        why="Enter an input first."
        onClick={() => void go()}
      >
        Run from here
      </Button>
    </>
  );
  return (
    <Dialog title="Run from this checkpoint" open onClose={onClose} actions={actions}>
      <p className="muted">
        What came after it stays: the run becomes a branch of its own, and the thread goes on from there.
      </p>
      {hasMessages && (
        <div>
          <Segments
            label="What to enter"
            options={[
              { value: "message", label: "Message" },
              { value: "json", label: "JSON" },
            ]}
            value={form}
            onChange={setForm}
          />
        </div>
      )}
      {form === "message" ? (
        <TextArea label="Message" rows={3} value={text} onChange={setText} />
      ) : (
        <JsonEditor label="Input" value={json} onChange={setJson} rows={8} />
      )}
      <span className={styles.space} />
    </Dialog>
  );
}
