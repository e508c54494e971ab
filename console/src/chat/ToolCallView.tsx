import { useState, type ReactNode } from "react";

import { Badge, classes, Icon, JsonTree } from "../kit";
import { Blocks } from "./Blocks";
import styles from "./chat.module.css";
import type { CallWithResult } from "./turns";

type CallProps = {
  called: CallWithResult;
  /** The run goes on: a call without a result is at work. */
  live: boolean;
  /** What the subagent said; it opens by itself while it talks. */
  inner?: ReactNode;
};

/** A tool call: its name and arguments in a line; pressed, all of it with the result. */
export function ToolCallView({ called, live, inner }: CallProps) {
  const { call, result } = called;
  const working = live && result === null;
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? (working && called.inner !== null);
  return (
    <div className={classes(styles.call, result?.failed && styles.failed)} data-call={call.id}>
      <button type="button" className={styles.callHead} aria-expanded={open} onClick={() => setChosen(!open)}>
        <Icon name={open ? "down" : "right"} size={12} />
        <Icon name="tool" size={14} />
        <span className={styles.callName}>{call.name || "…"}</span>
        <span className={styles.callArgs}>{preview(call.args)}</span>
        <State called={called} working={working} />
      </button>
      {open && (
        <div className={styles.callBody}>
          {call.error !== null && <p className={styles.wrong}>{call.error}</p>}
          <h4>Arguments</h4>
          {typeof call.args === "string" ? (
            <pre className={styles.rawArgs}>{call.args}</pre>
          ) : (
            <JsonTree value={call.args} open={2} />
          )}
          {inner}
          {result !== null && (
            <>
              <h4>{result.failed ? "Error" : "Result"}</h4>
              <Result called={called} />
            </>
          )}
        </div>
      )}
    </div>
  );
}

function State({ called: { call, result, inner }, working }: { called: CallWithResult; working: boolean }) {
  if (call.error !== null) return <Badge tone="bad">invalid</Badge>;
  if (result?.failed) return <Badge tone="bad">failed</Badge>;
  if (result !== null) return <Badge tone="good">done</Badge>;
  if (working) return <Badge tone="busy">{inner === null ? "running" : `${inner.name} at work`}</Badge>;
  return <Badge>no result</Badge>;
}

/** JSON as a tree, all else as text. */
function Result({ called: { result } }: { called: CallWithResult }) {
  if (result === null) return null;
  const only = result.blocks[0];
  const value = result.blocks.length === 1 && only?.kind === "text" ? structured(only.text) : undefined;
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard
    <div className={styles.result} tabIndex={0} role="group" aria-label="Result">
      {value === undefined ? <Blocks blocks={result.blocks} plain /> : <JsonTree value={value} open={2} />}
      {result.blocks.length === 0 && <span className="muted">empty</span>}
      {result.artifact !== null && (
        <>
          <h4>Artifact</h4>
          <JsonTree value={result.artifact} />
        </>
      )}
    </div>
  );
}

function structured(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const LONG = 160;

function preview(args: unknown): string {
  if (typeof args === "string") return args.slice(0, LONG);
  if (typeof args !== "object" || args === null) return "";
  const parts = Object.entries(args).map(
    ([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return parts.join(", ").slice(0, LONG);
}
