import { useCallback, useState, type ReactNode } from "react";

import { Conversation, messageKeys, transcriptOf, turnsOf, type CallWithResult, type Transcript } from "../../chat";
import { Empty, JsonTree, Loaded, Panel, Select } from "../../kit";
import { Composer } from "./Composer";
import { useInputKeys, useLatestState } from "./data";
import { LiveRun } from "./LiveRun";
import { Queue } from "./Queue";
import { SubagentMessages } from "./SubagentMessages";
import styles from "./thread.module.css";
import type { AssistantChoice } from "./useAssistantChoice";
import type { RunRow, ThreadHead, ThreadState } from "./types";
import { useLiveRun } from "./useLiveRun";
import { useStickToBottom } from "./useStickToBottom";
import { ResumeForm } from "./ResumeForm";
import { withSubgraphMessages } from "./subgraphMessages";

type ChatPaneProps = { head: ThreadHead; runs: readonly RunRow[]; assistant: AssistantChoice };

/** The conversation, the active run, pending interrupts and the composer. */
export function ChatPane({ head, runs, assistant }: ChatPaneProps) {
  const threadId = head.thread_id;
  const state = useLatestState(threadId);
  const inputKeys = useInputKeys(assistant.id);
  const { run: going, over } = useLiveRun(runs);
  const [chosenKey, setKey] = useState<string | null>(null);
  const [past, setPast] = useState<Transcript | null>(null);
  const found = messageKeys(state.data?.values);
  const hasMessages = found.length > 0 || (inputKeys.data?.includes("messages") ?? false);
  const key = chosenKey ?? found[0] ?? "messages";
  const { scroller, onScroll, grown, toEnd } = useStickToBottom();
  const subagentOf = useCallback(
    (called: CallWithResult) => <SubagentMessages threadId={threadId} called={called} />,
    [threadId],
  );
  const settled = useCallback(
    (runId: string, transcript: Transcript) => {
      setPast((before) => withSubgraphMessages(transcript, before));
      over(runId);
    },
    [over],
  );
  return (
    <Panel
      title={hasMessages ? "Chat" : "Values"}
      label="Chat"
      fill
      bare
      actions={found.length > 1 && <KeyChoice keys={found} value={key} onChange={setKey} />}
    >
      <div className={styles.chat}>
        {/* What scrolls must be reachable by keyboard. */}
        <div
          className={styles.scroll}
          ref={scroller}
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
          tabIndex={0}
          role="log"
          aria-label="Conversation"
          onScroll={onScroll}
        >
          <div className={styles.column}>
            <Loaded query={state} what="State">
              {(latest) => (
                <>
                  {going === null ? (
                    <LatestState
                      state={latest}
                      messageKey={key}
                      hasMessages={hasMessages}
                      past={past}
                      subagentOf={subagentOf}
                      empty={runs.length === 0}
                    />
                  ) : (
                    <LiveRun
                      key={going.run_id}
                      run={going}
                      base={latest.values}
                      messageKey={key}
                      past={past}
                      subagentOf={subagentOf}
                      onGrow={grown}
                      onSettled={settled}
                    />
                  )}
                  <Queue threadId={threadId} runs={runs} live={going?.run_id ?? null} />
                  {going === null && (
                    <ResumeForm head={head} state={latest} assistantId={assistant.id} onGrow={grown} />
                  )}
                </>
              )}
            </Loaded>
          </div>
        </div>
        <Composer
          threadId={threadId}
          assistant={assistant}
          running={going}
          hasMessages={hasMessages}
          messageKey={key}
          interrupted={(state.data?.tasks ?? []).some((task) => task.interrupts.length > 0)}
          onSent={toEnd}
        />
      </div>
    </Panel>
  );
}

type LatestStateProps = {
  state: ThreadState;
  messageKey: string;
  hasMessages: boolean;
  past: Transcript | null;
  subagentOf: (called: CallWithResult) => ReactNode;
  empty: boolean;
};

/** The current state. */
function LatestState({ state, messageKey, hasMessages, past, subagentOf, empty }: LatestStateProps) {
  const transcript = withSubgraphMessages(transcriptOf(state.values, messageKey), past);
  if (hasMessages && turnsOf(transcript).length > 0)
    return <Conversation transcript={transcript} subagentOf={subagentOf} />;
  const blank = state.values === null || state.values === undefined || Object.keys(state.values).length === 0;
  if (!blank) return <JsonTree value={state.values} open={2} name="state" />;
  return (
    <Empty title={empty ? "Nothing happened here yet" : "The state is empty"}>
      <p>{hasMessages ? "Say something below." : "Give an input below and start a run."}</p>
    </Empty>
  );
}

function KeyChoice({
  keys,
  value,
  onChange,
}: {
  keys: readonly string[];
  value: string;
  onChange: (key: string) => void;
}) {
  const options = keys.map((key) => ({ value: key, label: key }));
  return <Select label="Messages" hideLabel options={options} value={value} onChange={onChange} />;
}
