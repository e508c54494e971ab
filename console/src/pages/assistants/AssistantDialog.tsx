import type { Assistant } from "@langchain/langgraph-sdk";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { ApiError, call, client, keys, messageOf } from "../../api";
import { Button, Dialog, formatJson, JsonEditor, parseJson, Select, TextArea, TextField, toast } from "../../kit";
import { sameJson } from "../../chat/equality";
import { assistantsChanged } from "../assistant/data";
import styles from "./assistants.module.css";

/** `edit` makes a new version, `copy` and `create` a new assistant. */
export type Purpose = "create" | "edit" | "copy";

type DialogProps = {
  purpose: Purpose;
  from?: Assistant | undefined;
  onClose: () => void;
  onDone: (assistant: Assistant) => void;
};

type Fields = { graphId: string; name: string; description: string; config: string; context: string; metadata: string };

const TITLES = { create: "New assistant", edit: "Edit assistant", copy: "Copy assistant" };
const ACTIONS = { create: "Create", edit: "Save as new version", copy: "Create copy" };
const JSON_FIELDS = ["config", "context", "metadata"] as const;

/** A graph with a name, settings and context of its own. */
export function AssistantDialog({ purpose, from, onClose, onDone }: DialogProps) {
  const [fields, setFields] = useState(() => fieldsOf(from, purpose));
  const [said, setSaid] = useState<{ field: string; message: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const graphs = useGraphs();
  const wrong = wrongOf(fields);
  const errorAt = (field: string) => (said?.field === field ? said.message : wrong[field]);
  const change = (next: Partial<Fields>) => {
    setSaid(null);
    setFields({ ...fields, ...next });
  };
  const save = async () => {
    if (Object.keys(wrong).length > 0) return;
    setBusy(true);
    try {
      const saved = await sent(purpose, from, fields);
      toast.good(purpose === "edit" ? `Version ${saved.version} is saved` : `${saved.name} is there`);
      await assistantsChanged();
      onClose();
      onDone(saved);
    } catch (error) {
      setSaid(saidOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={TITLES[purpose]}
      open
      onClose={onClose}
      wide
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" busy={busy} disabled={Object.keys(wrong).length > 0} onClick={() => void save()}>
            {ACTIONS[purpose]}
          </Button>
        </>
      }
    >
      <div className={styles.two}>
        <Select
          label="Graph"
          options={graphs.map((value) => ({ value, label: value }))}
          value={fields.graphId || null}
          placeholder="Choose a graph"
          onChange={(graphId) => change({ graphId })}
        />
        <TextField
          label="Name"
          error={errorAt("name")}
          placeholder="Untitled"
          value={fields.name}
          onChange={(name) => change({ name })}
        />
      </div>
      <TextArea
        label="Description"
        rows={2}
        error={errorAt("description")}
        value={fields.description}
        onChange={(description) => change({ description })}
      />
      <div className={styles.two}>
        {JSON_FIELDS.map((name) => (
          <JsonEditor
            key={name}
            label={name}
            rows={5}
            hint={HINTS[name]}
            error={errorAt(name)}
            value={fields[name]}
            onChange={(text) => change({ [name]: text })}
          />
        ))}
      </div>
      {(said?.field === "" || said?.field === "graph_id") && (
        <div className={styles.refused} role="alert">
          {said.message}
        </div>
      )}
    </Dialog>
  );
}

const HINTS = {
  config: "recursion_limit, tags, configurable",
  context: "What its graph is given with every run.",
  metadata: "To find it by.",
};

function useGraphs(): string[] {
  const { data } = useQuery({
    queryKey: keys.assistants("graphs"),
    queryFn: () => client.assistants.search({ metadata: { created_by: "system" }, limit: 1000 }),
    staleTime: 60_000,
  });
  return [...new Set(data?.map((assistant) => assistant.graph_id))].sort();
}

function fieldsOf(from: Assistant | undefined, purpose: Purpose): Fields {
  if (from === undefined) return { graphId: "", name: "", description: "", config: "", context: "", metadata: "" };
  // Who made the other one says nothing of this one.
  const metadata = Object.fromEntries(Object.entries(from.metadata ?? {}).filter(([key]) => key !== "created_by"));
  return {
    graphId: from.graph_id,
    name: purpose === "copy" ? `${from.name} (copy)` : from.name,
    description: from.description ?? "",
    config: textOf(withoutMirror(from)),
    context: textOf(from.context),
    metadata: textOf(metadata),
  };
}

/** The server keeps a context in config.configurable, too, and takes only one of them: the context is what is edited. */
function withoutMirror({ config, context }: Assistant): Record<string, unknown> {
  const entries = Object.entries(config as Record<string, unknown>);
  const mirrors = (key: string, value: unknown) => key === "configurable" && sameJson(value, context);
  return Object.fromEntries(entries.filter(([key, value]) => !mirrors(key, value)));
}

function textOf(value: unknown): string {
  return value === null || value === undefined || JSON.stringify(value) === "{}" ? "" : formatJson(value);
}

/** Errors at their fields before the server is asked; those of JSON itself the editors say themselves. */
function wrongOf(fields: Fields): Record<string, string> {
  const wrong: Record<string, string> = {};
  if (fields.graphId === "") wrong.graph_id = "Choose a graph";
  for (const name of JSON_FIELDS) {
    const parsed = parseJson(fields[name]);
    const value = parsed.ok ? parsed.value : undefined;
    if (!parsed.ok) wrong[name] = parsed.message;
    else if (value !== undefined && (typeof value !== "object" || value === null || Array.isArray(value))) {
      wrong[name] = "Must be an object";
    }
  }
  return wrong;
}

async function sent(purpose: Purpose, from: Assistant | undefined, fields: Fields): Promise<Assistant> {
  const read = (name: (typeof JSON_FIELDS)[number]) => {
    const parsed = parseJson(fields[name]);
    return (parsed.ok ? parsed.value : undefined) ?? {};
  };
  const body = {
    graph_id: fields.graphId,
    name: fields.name.trim() || "Untitled",
    description: fields.description.trim(),
    config: read("config"),
    context: read("context"),
    metadata: read("metadata"),
  };
  if (purpose === "edit" && from) return call<Assistant>("PATCH", `/assistants/${from.assistant_id}`, { body });
  return call<Assistant>("POST", "/assistants", { body });
}

function saidOf(error: unknown): { field: string; message: string } {
  const [field = ""] = error instanceof ApiError ? (error.field ?? "").split(/[.[]/) : [];
  const known = ["name", "description", "graph_id", ...JSON_FIELDS].includes(field);
  return { field: known ? field : "", message: messageOf(error) };
}
