import { useEffect, useState } from "react";

import { objectOf } from "../../events/json";
import { Button, Icon, Panel } from "../../kit";
import { answerOf, draftOf, type Draft } from "./answers";
import { InterruptForm } from "./InterruptForm";
import { pendingOf, type Pending } from "./interrupts";
import { start } from "./runs";
import styles from "./thread.module.css";
import type { ThreadHead, ThreadState } from "./types";
import { useAction } from "./useAction";

type ResumeFormProps = { head: ThreadHead; state: ThreadState; assistantId: string | null; onGrow: () => void };

/** Resumes a thread: by answering its interrupts, or without input. */
export function ResumeForm({ head, state, assistantId, onGrow }: ResumeFormProps) {
  const pending = pendingOf(state.tasks);
  const ids = pending.map((each) => each.id).join();
  useEffect(onGrow, [ids, onGrow]);
  if (pending.length > 0) {
    return <InterruptForms key={ids} threadId={head.thread_id} pending={pending} assistantId={assistantId} />;
  }
  if (state.next.length === 0 && head.status !== "error") return null;
  return <Stopped head={head} state={state} assistantId={assistantId} />;
}

type InterruptFormsProps = { threadId: string; pending: readonly Pending[]; assistantId: string | null };

type Errors = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Shows a form for each interrupt. One or all are answered, by id. */
function InterruptForms({ threadId, pending, assistantId }: InterruptFormsProps) {
  const [drafts, setDrafts] = useState<Readonly<Record<string, Draft>>>(() =>
    Object.fromEntries(pending.map((each) => [each.id, draftOf(each.request)])),
  );
  const [errors, setErrors] = useState<Errors>({});
  const { busy, act } = useAction();
  const answer = async (answered: readonly Pending[]) => {
    const results = answered.map(
      (each) => [each.id, answerOf(each.request, drafts[each.id] ?? draftOf(each.request))] as const,
    );
    const wrong = results.flatMap(([id, result]) => (result.ok ? [] : [[id, result.errors] as const]));
    setErrors(Object.fromEntries(wrong));
    if (wrong.length > 0 || assistantId === null) return;
    const resume = Object.fromEntries(results.map(([id, result]) => [id, result.ok ? result.value : null]));
    await act("The answer was not taken", () => start(threadId, { assistantId, command: { resume } }));
  };
  const several = pending.length > 1;
  return (
    <div className={styles.waiting}>
      {pending.map((each) => (
        <Panel
          key={each.id}
          label={`Question of ${each.node}`}
          title={
            <span className={styles.waitingTitle}>
              <Icon name="pause" size={14} />
              <span>
                <strong>{each.node}</strong> waits for you
              </span>
            </span>
          }
        >
          <InterruptForm
            pending={each}
            draft={drafts[each.id] ?? draftOf(each.request)}
            errors={errors[each.id] ?? {}}
            onChange={(draft) => setDrafts((before) => ({ ...before, [each.id]: draft }))}
            action={
              <Button kind={several ? "normal" : "primary"} busy={busy} onClick={() => void answer([each])}>
                {several ? "Answer only this" : "Answer and go on"}
              </Button>
            }
          />
        </Panel>
      ))}
      {several && (
        <div className={styles.formActions}>
          <Button kind="primary" busy={busy} onClick={() => void answer(pending)}>
            Answer all {pending.length} and go on
          </Button>
        </div>
      )}
    </div>
  );
}

/** Shown when the thread stopped before a node: at a breakpoint, after a cancel, or because a node failed. */
function Stopped({ head, state, assistantId }: { head: ThreadHead; state: ThreadState; assistantId: string | null }) {
  const { busy, act } = useAction();
  const failures = failuresOf(head, state);
  const next = state.next.filter((name) => name !== "__start__");
  if (head.status === "busy") return null;
  return (
    <div className={styles.stopped} role="group" aria-label="Stopped">
      <div>
        {failures.length === 0 ? (
          <>
            Stopped before <strong>{next.join(", ") || "the first node"}</strong>.
          </>
        ) : (
          failures.map(({ who, error }) => (
            <p key={who + error}>
              <strong>{who}</strong> failed: <span className={styles.bad}>{error}</span>
            </p>
          ))
        )}
      </div>
      {state.next.length > 0 && assistantId !== null && (
        <Button
          kind="primary"
          icon={failures.length > 0 ? "refresh" : "runs"}
          busy={busy}
          onClick={() => void act("The run could not be started", () => start(head.thread_id, { assistantId }))}
        >
          {failures.length > 0 ? "Try again" : "Continue"}
        </Button>
      )}
    </div>
  );
}

/** The failed nodes with their errors, or else the error of the last run. */
function failuresOf(head: ThreadHead, state: ThreadState): { who: string; error: string }[] {
  const nodes = state.tasks.flatMap(({ name, error }) => (error ? [{ who: name, error }] : []));
  if (nodes.length > 0 || head.status !== "error") return nodes;
  const { error, message } = objectOf(head.error);
  return [{ who: "The last run", error: [error, message].filter((each) => typeof each === "string").join(": ") }];
}
