import { useState } from "react";

import { client, messageOf } from "../../api";
import {
  Button,
  bytes,
  count,
  CopyId,
  Facts,
  formatJson,
  JsonEditor,
  JsonTree,
  Loaded,
  Panel,
  parseJson,
  Time,
  exact,
} from "../../kit";
import { changed, useAbout, type Storage } from "./data";
import styles from "./thread.module.css";
import type { Json, ThreadHead } from "./types";

/** The thread's metadata, expiry and storage usage. */
export function AboutPane({ head }: { head: ThreadHead }) {
  const about = useAbout(head.thread_id);
  return (
    <div className={styles.pane}>
      <Facts
        items={[
          ["Thread", <CopyId key="id" id={head.thread_id} what="thread id" full />],
          ["Created", <Time key="made" at={head.created_at} />],
          ["Changed", <Time key="changed" at={head.updated_at} />],
          ["Error", head.error ? <JsonTree key="error" value={head.error} open={2} /> : null],
        ]}
      />
      <Metadata head={head} />
      <Loaded query={about} what="Storage">
        {({ ttl, storage }) => (
          <>
            <Panel title="Expiry">
              {ttl === null ? <p className="muted">This thread does not expire.</p> : <Expiry ttl={ttl} />}
            </Panel>
            <StoragePanel storage={storage} />
          </>
        )}
      </Loaded>
    </div>
  );
}

function Expiry({ ttl }: { ttl: Json }) {
  const at = typeof ttl.expires_at === "string" ? ttl.expires_at : null;
  return (
    <Facts
      items={[
        ["Strategy", typeof ttl.strategy === "string" ? ttl.strategy : "delete"],
        [
          "After",
          typeof (ttl.ttl ?? ttl.ttl_minutes) === "number"
            ? `${String(ttl.ttl ?? ttl.ttl_minutes)} minutes without a change`
            : null,
        ],
        ["Expires", at === null ? null : exact(new Date(at).getTime())],
      ]}
    />
  );
}

/** The server merges metadata, so keys removed in the editor are sent as null. */
function Metadata({ head }: { head: ThreadHead }) {
  const [text, setText] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  if (text === null) {
    return (
      <Panel
        title="Metadata"
        actions={
          <Button small icon="edit" onClick={() => setText(formatJson(head.metadata))}>
            Edit metadata
          </Button>
        }
      >
        <JsonTree value={head.metadata} open={2} />
      </Panel>
    );
  }
  const parsed = parseJson(text);
  const save = async () => {
    if (!parsed.ok) return;
    const given = (parsed.value ?? {}) as Json;
    const gone = Object.keys(head.metadata).filter((key) => !(key in given));
    setBusy(true);
    try {
      await client.threads.update(head.thread_id, {
        metadata: { ...given, ...Object.fromEntries(gone.map((key) => [key, null])) },
      });
      await changed(head.thread_id);
      setText(null);
      setError(null);
    } catch (raised) {
      setError(messageOf(raised));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel title="Metadata">
      <div className={styles.form}>
        <JsonEditor label="Metadata" hideLabel value={text} onChange={setText} rows={8} error={error} />
        <div className={styles.formActions}>
          <Button onClick={() => setText(null)}>Cancel</Button>
          <Button
            kind="primary"
            busy={busy}
            disabled={!parsed.ok}
            why="This is not valid JSON."
            onClick={() => void save()}
          >
            Save
          </Button>
        </div>
      </div>
    </Panel>
  );
}

function StoragePanel({ storage }: { storage: Storage }) {
  const channels = Object.entries(storage.channel_values.by_channel).sort(([, a], [, b]) => b.bytes - a.bytes);
  return (
    <Panel title={`Storage: ${bytes(storage.total_bytes)}`}>
      <Facts
        items={[
          ["Checkpoints", `${count(storage.checkpoints.count)}, ${bytes(storage.checkpoints.bytes)}`],
          ["Values", `${count(storage.channel_values.count)}, ${bytes(storage.channel_values.bytes)}`],
          ["Writes", `${count(storage.pending_writes.count)}, ${bytes(storage.pending_writes.bytes)}`],
          ...channels
            .slice(0, 12)
            .map(([name, { versions, bytes: size }]): [string, string] => [
              name,
              `${count(versions)} ${versions === 1 ? "version" : "versions"}, ${bytes(size)}`,
            ]),
        ]}
      />
    </Panel>
  );
}
