import { Checkbox, Field, JsonEditor, MultiSelect, Panel, Segments, Select, shortId, TextField } from "../../kit";
import { Draft, readJson, written } from "../../forms";
import { useState } from "react";
import styles from "./assistant.module.css";
import { useDrawing, useRecentThreads, type Assistant } from "./data";
import { ALL, DURABILITIES, STRATEGIES, STREAM_MODES, type Start } from "./start";

type OptionsProps = {
  assistant: Assistant;
  start: Start;
  onChange: (start: Start) => void;
  /** What is wrong, by the field of the request. */
  faults: Readonly<Record<string, string>>;
  tried: boolean;
};

/** Where and how the run is to go. */
export function Options(props: OptionsProps) {
  return (
    <>
      <Panel title="Thread">
        <div className={styles.fields}>
          <ThreadOptions {...props} />
        </div>
      </Panel>
      <Panel title="Stream">
        <div className={styles.fields}>
          <StreamOptions {...props} />
        </div>
      </Panel>
      <Panel title="Config">
        <div className={styles.fields}>
          <ConfigOptions {...props} />
        </div>
      </Panel>
      <Panel title="Stops and delivery">
        <div className={styles.fields}>
          <StopOptions {...props} />
        </div>
      </Panel>
    </>
  );
}

function ThreadOptions({ assistant, start, onChange, faults, tried }: OptionsProps) {
  const recent = useRecentThreads(assistant.graph_id);
  const error = tried || start.threadId !== "" ? faults.thread_id : undefined;
  return (
    <>
      <Segments
        label="Which thread"
        options={[
          { value: "new", label: "New thread" },
          { value: "old", label: "Existing thread" },
        ]}
        value={start.newThread ? "new" : "old"}
        onChange={(value) => onChange({ ...start, newThread: value === "new" })}
      />
      {!start.newThread && (
        <>
          <TextField
            label="Thread id"
            code
            required
            list="recent-threads"
            error={error}
            hint="Its state goes on with this input."
            value={start.threadId}
            onChange={(threadId) => onChange({ ...start, threadId })}
          />
          <datalist id="recent-threads">
            {recent.data?.map((thread) => (
              <option key={thread.thread_id} value={thread.thread_id}>
                {`${thread.status} · ${shortId(thread.thread_id)}`}
              </option>
            ))}
          </datalist>
          <Select
            label="While another run of it is going"
            options={STRATEGIES.map((value) => ({ value, label: STRATEGY_TEXTS[value] }))}
            value={start.strategy}
            onChange={(strategy) => onChange({ ...start, strategy })}
          />
        </>
      )}
    </>
  );
}

const STRATEGY_TEXTS = {
  enqueue: "enqueue: wait for it",
  reject: "reject: do not start",
  interrupt: "interrupt: stop it, keep what it did",
  rollback: "rollback: stop it, undo what it did",
} as const;

function StreamOptions({ start, onChange, faults }: OptionsProps) {
  return (
    <>
      <fieldset className={styles.modes}>
        <legend>Modes</legend>
        {STREAM_MODES.map((mode) => (
          <Checkbox
            key={mode}
            checked={start.streamModes.includes(mode)}
            onChange={(on) => {
              const streamModes = STREAM_MODES.filter((each) =>
                each === mode ? on : start.streamModes.includes(each),
              );
              onChange({ ...start, streamModes });
            }}
          >
            <code>{mode}</code>
          </Checkbox>
        ))}
      </fieldset>
      {faults.stream_mode !== undefined && (
        <div className={styles.wrong} role="alert">
          {faults.stream_mode}
        </div>
      )}
      <Checkbox checked={start.streamSubgraphs} onChange={(streamSubgraphs) => onChange({ ...start, streamSubgraphs })}>
        Stream events of subgraphs
      </Checkbox>
    </>
  );
}

function ConfigOptions({ start, onChange, faults }: OptionsProps) {
  return (
    <>
      <TextField
        label="Recursion limit"
        code
        inputMode="numeric"
        placeholder="as the graph has it"
        error={faults["config.recursion_limit"]}
        value={start.recursionLimit}
        onChange={(recursionLimit) => onChange({ ...start, recursionLimit })}
      />
      <TextField
        label="Tags"
        placeholder="nightly, eval"
        error={faults["config.tags"]}
        value={start.tags}
        onChange={(tags) => onChange({ ...start, tags })}
      />
      <JsonValue
        label="Configurable"
        error={faults["config.configurable"]}
        value={start.configurable}
        onChange={(configurable) => onChange({ ...start, configurable })}
      />
      <JsonValue
        label="Metadata"
        error={faults.metadata}
        value={start.metadata}
        onChange={(metadata) => onChange({ ...start, metadata })}
      />
      <Select
        label="Durability"
        options={DURABILITIES.map((value) => ({ value, label: DURABILITY_TEXTS[value] }))}
        value={start.durability}
        onChange={(durability) => onChange({ ...start, durability })}
      />
    </>
  );
}

const DURABILITY_TEXTS = {
  async: "async: checkpoints beside the next step",
  sync: "sync: each before the next step",
  exit: "exit: one, at the end",
} as const;

function StopOptions({ assistant, start, onChange, faults }: OptionsProps) {
  const nodes = useNodeNames(assistant.assistant_id);
  const options = [{ value: ALL, label: "every node" }, ...nodes.map((value) => ({ value, label: value }))];
  return (
    <>
      {STOPS.map(({ key, field, label }) => (
        <Field key={key} label={label} error={faults[field]}>
          {(tie) => (
            <div id={tie.id}>
              <MultiSelect
                label={label}
                placeholder="nowhere"
                options={options}
                value={start[key]}
                onChange={(chosen) => onChange({ ...start, [key]: chosen })}
              />
            </div>
          )}
        </Field>
      ))}
      <TextField
        label="Start after (seconds)"
        code
        inputMode="decimal"
        placeholder="at once"
        error={faults.after_seconds}
        value={start.afterSeconds}
        onChange={(afterSeconds) => onChange({ ...start, afterSeconds })}
      />
      <TextField
        label="Webhook"
        code
        type="url"
        placeholder="https://…"
        hint="Called when the run is over."
        error={faults.webhook}
        value={start.webhook}
        onChange={(webhook) => onChange({ ...start, webhook })}
      />
    </>
  );
}

const STOPS = [
  { key: "interruptBefore", field: "interrupt_before", label: "Stop before" },
  { key: "interruptAfter", field: "interrupt_after", label: "Stop after" },
] as const;

/** The nodes of the graph itself: those of subgraphs are not for the run to name. */
function useNodeNames(assistantId: string): string[] {
  const { data } = useDrawing(assistantId);
  const names = data?.nodes.map(({ id }) => id.split(":")[0] ?? id) ?? [];
  return [...new Set(names)].filter((name) => name !== "__start__" && name !== "__end__");
}

type JsonValueProps = {
  label: string;
  error: string | undefined;
  value: unknown;
  onChange: (value: unknown) => void;
};

/** JSON kept as typed; a Draft stands for it while it is none. */
function JsonValue({ label, error, value, onChange }: JsonValueProps) {
  const [text, setText] = useState(() => written(value));
  const read = readJson(text);
  const wrong = read === undefined || read instanceof Draft || typeof read === "object" ? error : "Must be an object";
  return (
    <JsonEditor
      label={label}
      rows={2}
      error={wrong}
      value={text}
      onChange={(typed) => {
        setText(typed);
        onChange(readJson(typed));
      }}
    />
  );
}
