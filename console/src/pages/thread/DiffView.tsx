import { useMemo } from "react";

import { isMessage, messageOf, plainText } from "../../chat";
import { Badge, Button, CopyId, JsonTree, Loaded, shortId, useUrl } from "../../kit";
import { useStateAt } from "./data";
import { diffOf, type Change, type Step } from "./diff";
import { labelOf, type Checkpoint } from "./history";
import styles from "./thread.module.css";

const AT_MOST = 300;

/** The differences between two checkpoints. */
export function DiffView({ threadId, from, to }: { threadId: string; from: Checkpoint; to: Checkpoint }) {
  const url = useUrl();
  const before = useStateAt(threadId, from);
  const after = useStateAt(threadId, to);
  const both = before.data && after.data ? { before: before.data.values, after: after.data.values } : undefined;
  const query = {
    data: both,
    error: before.error ?? after.error,
    refetch: () => Promise.all([before.refetch(), after.refetch()]),
  };
  return (
    <section className={styles.detail} aria-label="Difference">
      <div className={styles.detailHead}>
        <h2>
          {labelOf(from)} → {labelOf(to)}
        </h2>
        <CopyId id={from.id} what="checkpoint id" />
        <CopyId id={to.id} what="checkpoint id" />
        <span className={styles.space} />
        <Button small kind="quiet" icon="close" onClick={() => url.set({ with: "" })}>
          Stop comparing
        </Button>
      </div>
      <Loaded query={query} what="States">
        {(states) => <Changes before={states.before} after={states.after} />}
      </Loaded>
    </section>
  );
}

const TONES = { added: "good", removed: "bad", changed: "warn" } as const;

function Changes({ before, after }: { before: unknown; after: unknown }) {
  const changes = useMemo(() => diffOf(before, after), [before, after]);
  if (changes.length === 0) return <p className="muted">The states are the same.</p>;
  const count = (kind: Change["kind"]) => changes.filter((change) => change.kind === kind).length;
  return (
    <>
      <p className="muted">
        {count("added")} added, {count("removed")} removed, {count("changed")} changed
      </p>
      <ul className={styles.changes}>
        {changes.slice(0, AT_MOST).map((change, index) => (
          <li key={index} data-change={change.kind}>
            <div className={styles.inline}>
              <Badge tone={TONES[change.kind]}>{change.kind}</Badge>
              <Path path={change.path} />
            </div>
            {change.kind !== "added" && <Side value={change.before} sign="−" />}
            {change.kind !== "removed" && <Side value={change.after} sign="+" />}
          </li>
        ))}
      </ul>
      {changes.length > AT_MOST && <p className="muted">and {changes.length - AT_MOST} more</p>}
    </>
  );
}

function Path({ path }: { path: readonly Step[] }) {
  const parts = path.map((step) => (typeof step === "object" ? shortId(step.id) : String(step)));
  return <code className={styles.path}>{parts.length > 0 ? parts.join(" › ") : "state"}</code>;
}

/** Shows messages by their text; the tree below has the complete value. */
function Side({ value, sign }: { value: unknown; sign: string }) {
  const message = isMessage(value) ? messageOf(value) : null;
  return (
    <div className={sign === "+" ? styles.plus : styles.minus}>
      <span aria-hidden="true">{sign}</span>
      <div>
        {message !== null && (
          <p>
            <strong>{message.name ?? message.type}</strong> {plainText(message).slice(0, 300)}
          </p>
        )}
        <JsonTree value={value} open={message === null ? 1 : 0} />
      </div>
    </div>
  );
}
