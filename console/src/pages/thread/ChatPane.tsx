import { useCallback, useState, type ReactNode } from "react";

import { Conversation, messageKeys, talkOf, turnsOf, type Called, type Talk } from "../../chat";
import { Empty, JsonTree, Loaded, Panel, Select } from "../../kit";
import { Composer } from "./Composer";
import { useInputKeys, useLatestState } from "./data";
import { LiveRun } from "./LiveRun";
import { Queue } from "./Queue";
import { SubAgent } from "./SubAgent";
import styles from "./thread.module.css";
import type { AssistantChoice } from "./ThreadView";
import type { RunRow, ThreadHead, ThreadState } from "./types";
import { useLive } from "./useLive";
import { useStick } from "./useStick";
import { Waiting } from "./Waiting";
import { withInner } from "./withInner";

type ChatPaneProps = { head: ThreadHead; runs: readonly RunRow[]; assistant: AssistantChoice };

/** What was said, what is being said, what is asked, and a place to say something. */
export function ChatPane({ head, runs, assistant }: ChatPaneProps) {
  const threadId = head.thread_id;
  const state = useLatestState(threadId);
  const inputKeys = useInputKeys(assistant.id);
  const { run: going, over } = useLive(runs);
  const [chosenKey, setKey] = useState<string | null>(null);
  const [past, setPast] = useState<Talk | null>(null);
  const found = messageKeys(state.data?.values);
  const talks = found.length > 0 || (inputKeys.data?.includes("messages") ?? false);
  const key = chosenKey ?? found[0] ?? "messages";
  const { scroller, onScroll, grown, toEnd } = useStick();
  const innerOf = useCallback((called: Called) => <SubAgent threadId={threadId} called={called} />, [threadId]);
  const settled = useCallback(
    (runId: string, talk: Talk) => {
      setPast((before) => withInner(talk, before));
      over(runId);
    },
    [over],
  );
  return (
    <Panel
      title={talks ? "Chat" : "Values"}
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
                    <Said
                      state={latest}
                      messageKey={key}
                      talks={talks}
                      past={past}
                      innerOf={innerOf}
                      empty={runs.length === 0}
                    />
                  ) : (
                    <LiveRun
                      key={going.run_id}
                      run={going}
                      base={latest.values}
                      messageKey={key}
                      past={past}
                      innerOf={innerOf}
                      onGrow={grown}
                      onSettled={settled}
                    />
                  )}
                  <Queue threadId={threadId} runs={runs} live={going?.run_id ?? null} />
                  {going === null && <Waiting head={head} state={latest} assistantId={assistant.id} onGrow={grown} />}
                </>
              )}
            </Loaded>
          </div>
        </div>
        <Composer
          threadId={threadId}
          assistant={assistant}
          running={going}
          talks={talks}
          messageKey={key}
          interrupted={(state.data?.tasks ?? []).some((task) => task.interrupts.length > 0)}
          onSent={toEnd}
        />
      </div>
    </Panel>
  );
}

type SaidProps = {
  state: ThreadState;
  messageKey: string;
  talks: boolean;
  past: Talk | null;
  innerOf: (called: Called) => ReactNode;
  empty: boolean;
};

/** The state as it stands. */
function Said({ state, messageKey, talks, past, innerOf, empty }: SaidProps) {
  const talk = withInner(talkOf(state.values, messageKey), past);
  if (talks && turnsOf(talk).length > 0) return <Conversation talk={talk} innerOf={innerOf} />;
  const blank = state.values === null || state.values === undefined || Object.keys(state.values).length === 0;
  if (!blank) return <JsonTree value={state.values} open={2} name="state" />;
  return (
    <Empty title={empty ? "Nothing happened here yet" : "The state is empty"}>
      <p>{talks ? "Say something below." : "Give an input below and start a run."}</p>
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
