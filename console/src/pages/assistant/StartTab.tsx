import { useEffect, useRef, useState, type RefObject } from "react";
import { useNavigate } from "react-router";

import { ApiError, call, keys, messageOf, queries } from "../../api";
import { FormOrJson, hasDrafts, isRecord, problemsOf, type Problem, type Schema } from "../../forms";
import { Button, Loaded, Notice, Panel } from "../../kit";
import styles from "./assistant.module.css";
import { useSchemas, type Assistant, type Schemas } from "./data";
import { Options } from "./Options";
import { Snippets } from "./Snippets";
import { bodyOf, faultsOf, formField, type Start } from "./start";

type StartProps = { assistant: Assistant; start: Start; onChange: (start: Start) => void };

/** Everything a run can be asked for, with the input as a form of the graph's own schema. */
export function StartTab(props: StartProps) {
  const schemas = useSchemas(props.assistant.assistant_id);
  return (
    <Loaded query={schemas} what="The schemas">
      {(known) => <StartForm {...props} schemas={known} />}
    </Loaded>
  );
}

type Said = { field: string; message: string };
type Way = "form" | "json";
type Part = "input" | "context";

function StartForm({ assistant, start, onChange, schemas }: StartProps & { schemas: Schemas }) {
  const [tried, setTried] = useState(false);
  const [ways, setWays] = useState<Record<Part, Way>>({ input: "form", context: "form" });
  const { said, busy, send, forget } = useSending(assistant, start);
  const form = useRef<HTMLFormElement>(null);
  useSubmitKey(form);
  const schemaOf: Record<Part, Schema | null> = {
    input: usable(schemas.input_schema),
    context: usable(schemas.context_schema),
  };
  const faults = { ...faultsOf(start), ...(said && said.field !== "" ? { [said.field]: said.message } : {}) };

  const change = (next: Start) => {
    forget();
    onChange(next);
  };
  const submit = () => {
    setTried(true);
    if (Object.keys(faultsOf(start)).length > 0 || blocked("input") || blocked("context") || hasDrafts(start)) {
      // What is wrong is marked by the next frame; then the first of it is gone to.
      requestAnimationFrame(() =>
        form.current?.querySelector<HTMLElement>("[aria-invalid=true], [role=alert]")?.focus(),
      );
      return;
    }
    void send();
  };
  const blocked = (part: Part) => {
    if (hasDrafts(start[part])) return true;
    const schema = schemaOf[part];
    // Graphs take more than their schemas say: as JSON, whatever is JSON is sent.
    return ways[part] === "form" && schema !== null && problemsOf(start[part], schema, schema).length > 0;
  };
  const part = (name: Part, label: string) => (
    <FormOrJson
      label={label}
      schema={schemaOf[name]}
      value={start[name]}
      onChange={(value) => change({ ...start, [name]: value })}
      way={ways[name]}
      onWay={(way) => setWays({ ...ways, [name]: way })}
      showMissing={tried}
      more={said ? problemAt(name, said) : NOTHING}
    />
  );

  return (
    <form
      ref={form}
      className={styles.start}
      noValidate
      aria-label="Start a run"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div className={styles.asked}>
        <Panel label="Input">{part("input", "Input")}</Panel>
        {(schemas.context_schema !== null || start.context !== undefined) && (
          <Panel label="Context">{part("context", "Context")}</Panel>
        )}
        <Snippets assistant={assistant} start={start} />
      </div>
      <div className={styles.options}>
        <Options assistant={assistant} start={start} onChange={change} faults={faults} tried={tried} />
      </div>
      <div className={styles.send}>
        {said?.field === "" && (
          <div className={styles.refused} role="alert">
            {said.message}
          </div>
        )}
        {said !== null && said.field !== "" && <Notice>The server refused it: see {said.field}.</Notice>}
        <span className="muted">Ctrl+Enter</span>
        <Button kind="primary" icon="runs" type="submit" busy={busy}>
          Start run
        </Button>
      </div>
    </form>
  );
}

/** Ctrl+Enter sends from every field, also from those in which Enter begins a line. */
function useSubmitKey(form: RefObject<HTMLFormElement | null>): void {
  useEffect(() => {
    const element = form.current;
    const press = (event: KeyboardEvent) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      element?.requestSubmit();
    };
    element?.addEventListener("keydown", press);
    return () => element?.removeEventListener("keydown", press);
  }, [form]);
}

const NOTHING: readonly Problem[] = [];

/** Sends the request and goes to the run; what the server refuses is kept for its field. */
function useSending(assistant: Assistant, start: Start) {
  const [said, setSaid] = useState<Said | null>(null);
  const [busy, setBusy] = useState(false);
  const navigate = useNavigate();
  const send = async () => {
    setBusy(true);
    setSaid(null);
    const threadId = start.newThread ? newId() : start.threadId.trim();
    try {
      const body = bodyOf(assistant.assistant_id, start);
      const run = await call<{ run_id: string }>("POST", `/threads/${encodeURIComponent(threadId)}/runs`, { body });
      void queries.invalidateQueries({ queryKey: keys.runs() });
      void navigate(`/threads/${threadId}/runs/${run.run_id}`);
    } catch (error) {
      setSaid(saidOf(error));
      setBusy(false);
    }
  };
  return { said, busy, send, forget: () => setSaid(null) };
}

function saidOf(error: unknown): Said {
  const field = error instanceof ApiError && error.field !== null ? formField(error.field) : "";
  const message = messageOf(error);
  // The server begins with the field's name, which stands above it here.
  return { field, message: field === "" ? message : message.replace(/^[\w.[\]]+: /, "") };
}

/** The server's word on a place in the input or context: `input.messages[0]` to the place itself. */
function problemAt(part: Part, { field, message }: Said): readonly Problem[] {
  return field === part ? [{ path: [], message, missing: false }] : NOTHING;
}

/** A schema that has anything to fill in; without one there is JSON only. */
function usable(schema: Schema | null): Schema | null {
  return isRecord(schema) && Object.keys(schema).length > 0 ? schema : null;
}

/** Pages that came over plain HTTP from another machine have no randomUUID. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
