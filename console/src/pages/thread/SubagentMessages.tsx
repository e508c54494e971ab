import { Conversation, messageKeys, transcriptOf, type CallWithResult } from "../../chat";
import { isObject, listOf } from "../../events/json";
import { useHistory, useInnerState } from "./data";
import styles from "./thread.module.css";
import type { Task, ThreadState } from "./types";

/** A subagent's messages for one tool call, read from its checkpoints, so they remain available after the run. */
export function SubagentMessages({ threadId, called }: { threadId: string; called: CallWithResult }) {
  const history = useHistory(threadId, "");
  const namespace = namespaceOf(history.data?.pages.flat() ?? [], called.call.id);
  return namespace === null ? null : <Inner threadId={threadId} namespace={namespace} />;
}

/** Finds the task that received the tool call or returned its result; its name is the subgraph's namespace. */
export function namespaceOf(states: readonly ThreadState[], callId: string): string | null {
  for (const state of states) {
    for (const task of state.tasks) if (answered(task, callId)) return `${task.name}:${task.id}`;
  }
  return null;
}

function answered(task: Task, callId: string): boolean {
  const results = Array.isArray(task.result) ? (task.result as unknown[]) : [task.result];
  return results.some(
    (result) =>
      isObject(result) &&
      Object.values(result).some((value) =>
        listOf(value).some((each) => isObject(each) && each.tool_call_id === callId),
      ),
  );
}

function Inner({ threadId, namespace }: { threadId: string; namespace: string }) {
  const state = useInnerState(threadId, namespace);
  const values = state.data?.values;
  if (messageKeys(values).length === 0) return null;
  return (
    <section className={styles.inner} aria-label="Subagent">
      <h4>subagent</h4>
      <Conversation transcript={transcriptOf(values)} inside />
    </section>
  );
}
