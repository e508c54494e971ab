import { useEffect, useMemo, useState, type ReactNode } from "react";

import { keys, queries, useRunFeed, type FeedEvent } from "../../api";
import { Conversation, foldTranscript, transcriptOf, turnsOf, type CallWithResult, type Transcript } from "../../chat";
import { objectOf } from "../../events/json";
import { Badge, Button, Duration, Failure, JsonTree, Notice, StatusBadge } from "../../kit";
import { Link } from "react-router";
import { changed } from "./data";
import styles from "./thread.module.css";
import type { RunRow } from "./types";
import { withSubgraphMessages } from "./subgraphMessages";

type LiveRunProps = {
  run: RunRow;
  /** The latest known state before the run. */
  base: unknown;
  messageKey: string;
  past: Transcript | null;
  subagentOf: (called: CallWithResult) => ReactNode;
  onGrow: () => void;
  /** Called when the run has ended and the state is up to date. */
  onSettled: (runId: string, transcript: Transcript) => void;
};

/** Shows the conversation from the events of an active run, wherever the run was started. */
export function LiveRun({ run, base, messageKey, past, subagentOf, onGrow, onSettled }: LiveRunProps) {
  const feed = useRunFeed(run.thread_id, run.run_id);
  // Keep the initial state: later states already include the messages of these events.
  const [start] = useState(() => transcriptOf(base, messageKey));
  const [folding] = useState(() => new Folding(start));
  const transcript = folding.upTo(feed.events, feed.count);
  const shown = useMemo(() => withSubgraphMessages(transcript, past), [transcript, past]);
  const { phase } = feed.state;
  useEffect(onGrow, [transcript, onGrow]);
  useHistoryOf(run.thread_id, folding.steps);
  useEffect(() => {
    if (phase !== "ended" && phase !== "failed") return;
    let here = true;
    const settle = () => {
      if (here) onSettled(run.run_id, transcript);
    };
    // Also on failure: the state query then shows the error.
    void changed(run.thread_id).then(settle, settle);
    return () => {
      here = false;
    };
  }, [phase, run.thread_id, run.run_id, transcript, onSettled]);
  const spoken = turnsOf(shown).length > 0;
  return (
    <>
      {spoken ? (
        <Conversation transcript={shown} live subagentOf={subagentOf} />
      ) : (
        <JsonTree value={folding.values ?? base ?? {}} open={2} name="state" />
      )}
      {feed.state.phase === "reconnecting" && (
        <Notice
          action={
            <Button small onClick={feed.retry}>
              Try now
            </Button>
          }
        >
          Reconnecting: {feed.state.reason}
        </Notice>
      )}
      {feed.state.phase === "failed" && (
        <Failure inline what="The run could not be followed" error={feed.state.error} />
      )}
      <div className={styles.going} role="status">
        <StatusBadge status={phase === "ended" ? "success" : run.status} />
        {folding.node !== null && phase !== "ended" && <Badge>{folding.node}</Badge>}
        <span className="muted">
          <Duration from={run.started_at ?? run.created_at} />
        </span>
        <Link to={`/threads/${run.thread_id}/runs/${run.run_id}`}>Watch the run</Link>
      </div>
    </>
  );
}

/** Refetches the history as the run adds checkpoints, debounced for quick steps. */
function useHistoryOf(threadId: string, steps: number): void {
  useEffect(() => {
    if (steps === 0) return;
    const timer = setTimeout(() => void queries.invalidateQueries({ queryKey: keys.thread(threadId, "history") }), 300);
    return () => clearTimeout(timer);
  }, [threadId, steps]);
}

/** Folds each event once, regardless of rerenders. */
class Folding {
  /** The last state in the events, and the active node. */
  values: unknown = null;
  node: string | null = null;
  /** The number of states seen, which is the number of new checkpoints. */
  steps = 0;
  private transcript: Transcript;
  private done = 0;

  constructor(start: Transcript) {
    this.transcript = start;
  }

  upTo(events: readonly FeedEvent[], count: number): Transcript {
    if (count <= this.done) return this.transcript;
    const fresh = events.slice(this.done, count);
    this.done = count;
    this.transcript = foldTranscript(this.transcript, fresh);
    for (const event of fresh) this.look(event);
    return this.transcript;
  }

  private look({ mode, namespace, data }: FeedEvent): void {
    if (namespace.length > 0) return;
    if (mode === "values" || mode === "updates") this.steps += 1;
    if (mode === "values") this.values = data;
    if (mode === "tasks" && "input" in objectOf(data)) this.node = String(objectOf(data).name);
  }
}
