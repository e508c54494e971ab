import { useState } from "react";

import { classes } from "./classes";
import { copy } from "./CopyId";
import { Icon } from "./icons";
import styles from "./json.module.css";
import { summary } from "./json";

const AT_ONCE = 100;
const LONG_TEXT = 400;

type JsonTreeProps = {
  value: unknown;
  /** The number of levels that are expanded at first. */
  open?: number;
  /** The key shown for the root, e.g. "state". */
  name?: string;
};

/** JSON as an expandable tree. Large arrays show a hundred items at a time, long strings are truncated. */
export function JsonTree({ value, open = 1, name }: JsonTreeProps) {
  return (
    <div className={styles.tree}>
      <Node value={value} open={open} name={name} />
    </div>
  );
}

type NodeProps = { value: unknown; open: number; name: string | undefined };

function Node({ value, open, name }: NodeProps) {
  return isBranch(value) ? <Branch value={value} open={open} name={name} /> : <Leaf value={value} name={name} />;
}

function Branch({ value, open, name }: NodeProps & { value: object }) {
  const [opened, setOpened] = useState(open > 0);
  const [shown, setShown] = useState(AT_ONCE);
  const entries = opened ? (Object.entries(value) as [string, unknown][]) : [];
  const empty = Object.keys(value).length === 0;
  if (empty) return <Leaf value={value} name={name} />;
  return (
    <div>
      <div className={styles.row}>
        <button
          type="button"
          aria-expanded={opened}
          className={classes(styles.toggle, opened && styles.open)}
          onClick={() => setOpened(!opened)}
        >
          <Icon name="right" size={12} />
          <Key name={name} />
          <span className={styles.faint}>{summary(value, opened)}</span>
        </button>
        <CopyValue value={value} name={name} />
      </div>
      {opened && (
        <div className={styles.children}>
          {entries.slice(0, shown).map(([key, each]) => (
            <Node key={key} name={key} value={each} open={open - 1} />
          ))}
          {entries.length > shown && (
            <button type="button" className={styles.more} onClick={() => setShown(shown + AT_ONCE)}>
              show {Math.min(AT_ONCE, entries.length - shown)} more of {entries.length}
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function Leaf({ value, name }: { value: unknown; name: string | undefined }) {
  const [whole, setWhole] = useState(false);
  const text = value === undefined ? "undefined" : jsonText(value);
  const shown = !whole && text.length > LONG_TEXT ? `${text.slice(0, LONG_TEXT)}…` : text;
  return (
    <div className={styles.row}>
      <div className={styles.leaf}>
        <Key name={name} />
        {name !== undefined && " "}
        <span className={styles[kind(value)]}>{shown}</span>
        {shown !== text && (
          <button type="button" className={styles.more} onClick={() => setWhole(true)}>
            show all {text.length.toLocaleString("en")} characters
          </button>
        )}
      </div>
      <CopyValue value={value} name={name} />
    </div>
  );
}

function Key({ name }: { name: string | undefined }) {
  return name === undefined ? null : <span className={styles.key}>{name}:</span>;
}

function CopyValue({ value, name }: { value: unknown; name: string | undefined }) {
  const text = () => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
  return (
    <button
      type="button"
      className={styles.tool}
      aria-label={`Copy ${name ?? "value"}`}
      title="Copy"
      onClick={() => void copy(text(), "value")}
    >
      <Icon name="copy" size={12} />
    </button>
  );
}

/** JSON text in which strings keep their line breaks. */
function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return typeof value === "string" ? text.replaceAll("\\n", "\n") : text;
}

function isBranch(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function kind(value: unknown): "string" | "number" | "other" | "faint" {
  if (typeof value === "string") return "string";
  if (typeof value === "number") return "number";
  return typeof value === "object" && value !== null ? "faint" : "other";
}
