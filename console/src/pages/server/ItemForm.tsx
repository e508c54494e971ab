import { useState } from "react";

import { call, keys, messageOf, queries } from "../../api";
import { Button, Dialog, formatJson, JsonEditor, Notice, parseJson, TextField, toast } from "../../kit";
import styles from "./server.module.css";

export type Item = { namespace: string[]; key: string; value: unknown; created_at?: string; updated_at?: string };

type ItemFormProps = { item: Item; onClose: () => void; onDelete: () => void };

/** Adds an item to the store, or edits the value of an existing one. */
export function ItemForm({ item, onClose, onDelete }: ItemFormProps) {
  const isNew = item.updated_at === undefined;
  const [namespace, setNamespace] = useState(item.namespace.join("/"));
  const [key, setKey] = useState(item.key);
  const [text, setText] = useState(formatJson(item.value));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const value = parseJson(text);
  const ready = value.ok && key !== "" && namespace !== "";
  const save = async () => {
    if (!value.ok) return;
    setBusy(true);
    setError(null);
    try {
      // Keep the namespace of an existing item as it is: its parts may contain slashes.
      const place = isNew ? namespace.split("/") : item.namespace;
      await call("PUT", "/store/items", { body: { namespace: place, key, value: value.value } });
      await queries.invalidateQueries({ queryKey: keys.store() });
      toast.good("Saved the item");
      onClose();
    } catch (raised) {
      setError(raised);
      setBusy(false);
    }
  };
  const actions = (
    <>
      {!isNew && (
        <Button kind="danger" icon="trash" onClick={onDelete}>
          Delete
        </Button>
      )}
      <Button onClick={onClose}>Cancel</Button>
      <Button
        kind="primary"
        busy={busy}
        disabled={!ready}
        why="It needs a namespace, a key and a value"
        onClick={() => void save()}
      >
        Save
      </Button>
    </>
  );
  return (
    <Dialog title={isNew ? "New item" : item.key} open onClose={onClose} actions={actions} wide>
      <div className={styles.stack}>
        {error !== null && <Notice>{messageOf(error)}</Notice>}
        <TextField
          label="Namespace"
          hint="parts with / between them"
          code
          value={namespace}
          onChange={setNamespace}
          readOnly={!isNew}
        />
        <TextField label="Key" code value={key} onChange={setKey} readOnly={!isNew} />
        <JsonEditor label="Value" rows={12} value={text} onChange={setText} />
      </div>
    </Dialog>
  );
}
