import { useState } from "react";

import { Button, JsonEditor, parseJson, Segments, Select } from "../../kit";
import type { Strategy } from "./runs";
import { start, stop, STRATEGIES } from "./runs";
import { useAssistants } from "./data";
import styles from "./thread.module.css";
import type { AssistantChoice } from "./useAssistantChoice";
import type { RunRow } from "./types";
import { useAction } from "./useAction";

type ComposerProps = {
  threadId: string;
  assistant: AssistantChoice;
  running: RunRow | null;
  /** The graph has messages: then one types a message, else the input as JSON. */
  hasMessages: boolean;
  messageKey: string;
  interrupted: boolean;
  onSent: () => void;
};

const STRATEGY_TEXTS: Record<Strategy, string> = {
  enqueue: "enqueue: after it",
  interrupt: "interrupt: stop it, keep what it did",
  rollback: "rollback: stop it, undo what it did",
  reject: "reject: only if none is going",
};

export function Composer({
  threadId,
  assistant,
  running,
  hasMessages,
  messageKey,
  interrupted,
  onSent,
}: ComposerProps) {
  const [chosen, setForm] = useState<"message" | "json" | null>(null);
  const [text, setText] = useState("");
  const [json, setJson] = useState("{}");
  const [strategy, setStrategy] = useState<Strategy>("enqueue");
  const { busy, act } = useAction();
  const form = chosen ?? (hasMessages ? "message" : "json");
  const parsed = parseJson(json);
  const ready = form === "message" ? text.trim() !== "" : parsed.ok;
  const why =
    assistant.id === null
      ? "Choose an assistant first."
      : form === "json"
        ? "The input is not valid JSON."
        : "Say something.";
  const send = async () => {
    if (!ready || busy || assistant.id === null) return;
    const input =
      form === "message" ? { [messageKey]: [{ type: "human", content: text }] } : parsed.ok ? parsed.value : null;
    const asked = { assistantId: assistant.id, input, ...(running === null ? {} : { strategy }) };
    onSent();
    if (await act("The run could not be started", () => start(threadId, asked))) setText("");
  };
  return (
    <form
      className={styles.composer}
      aria-label="New run"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      {form === "message" ? (
        <Message text={text} onChange={setText} onSend={() => void send()} interrupted={interrupted} />
      ) : (
        <JsonEditor label="Input" value={json} onChange={setJson} rows={4} />
      )}
      <div className={styles.composerBar}>
        <AssistantSelect assistant={assistant} />
        {hasMessages && (
          <Segments
            label="What to enter"
            options={[
              { value: "message", label: "Message" },
              { value: "json", label: "JSON" },
            ]}
            value={form}
            onChange={setForm}
          />
        )}
        <span className={styles.space} />
        {running !== null && (
          <>
            <Select
              label="While a run is going"
              hideLabel
              options={STRATEGIES.map((value) => ({ value, label: STRATEGY_TEXTS[value] }))}
              value={strategy}
              onChange={setStrategy}
            />
            <Button
              icon="stop"
              onClick={() => void act("The run could not be stopped", () => stop(threadId, running.run_id))}
            >
              Stop
            </Button>
          </>
        )}
        <Button
          type="submit"
          kind="primary"
          icon="send"
          busy={busy}
          disabled={!ready || assistant.id === null}
          why={why}
          onClick={(event) => {
            event.preventDefault();
            void send();
          }}
        >
          {form === "message" ? "Send" : "Start"}
        </Button>
      </div>
    </form>
  );
}

type MessageProps = { text: string; onChange: (text: string) => void; onSend: () => void; interrupted: boolean };

function Message({ text, onChange, onSend, interrupted }: MessageProps) {
  const rows = Math.min(Math.max(text.split("\n").length, 2), 10);
  return (
    <textarea
      className={styles.message}
      aria-label="Message"
      placeholder={
        interrupted
          ? "Answer above, or say something else"
          : "Say something. Enter sends, Shift+Enter begins a new line."
      }
      rows={rows}
      value={text}
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={(event) => {
        // While an input method composes, Enter takes its suggestion.
        if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
        event.preventDefault();
        onSend();
      }}
    />
  );
}

/** Those of the thread's graph first in line: another graph could not read its state. */
function AssistantSelect({ assistant }: { assistant: AssistantChoice }) {
  const all = useAssistants().data ?? [];
  const fitting = assistant.graphId === null ? all : all.filter((each) => each.graph_id === assistant.graphId);
  const shown = fitting.length > 0 ? fitting : all;
  return (
    <Select
      label="Assistant"
      hideLabel
      options={shown.map((each) => ({ value: each.assistant_id, label: each.name || each.graph_id }))}
      value={assistant.id}
      onChange={assistant.choose}
      placeholder="choose an assistant…"
    />
  );
}
