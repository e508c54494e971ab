import { useEffect, useState } from "react";

import { CopyId, oneOf, Page, StatusBadge, Tabs, useUrl, type TabItem } from "../../kit";
import { AboutPane } from "./AboutPane";
import { Actions } from "./Actions";
import { ChatPane } from "./ChatPane";
import { useRuns } from "./data";
import { HistoryPane } from "./HistoryPane";
import { RunsPane } from "./RunsPane";
import { StatePane } from "./StatePane";
import styles from "./thread.module.css";
import type { ThreadHead } from "./types";
import { useAssistantChoice } from "./useAssistantChoice";

const SIDE = ["history", "state", "runs", "about"] as const;
type Tab = "chat" | (typeof SIDE)[number];

/** The conversation beside the details; on narrow screens both are tabs. */
export function ThreadView({ head }: { head: ThreadHead }) {
  const url = useUrl();
  const wide = useWide();
  const runs = useRuns(head.thread_id);
  const rows = runs.data?.pages.flat() ?? [];
  const assistant = useAssistantChoice(head, rows);
  const tabs: readonly [Tab, ...Tab[]] = wide ? SIDE : ["chat", ...SIDE];
  const chat = <ChatPane head={head} runs={rows} assistant={assistant} />;
  const items: Record<Tab, TabItem<Tab>> = {
    chat: { id: "chat", label: "Chat", content: chat },
    history: {
      id: "history",
      label: "History",
      content: <HistoryPane threadId={head.thread_id} assistantId={assistant.id} />,
    },
    state: { id: "state", label: "State", content: <StatePane threadId={head.thread_id} assistantId={assistant.id} /> },
    runs: { id: "runs", label: "Runs", content: <RunsPane query={runs} /> },
    about: { id: "about", label: "About", content: <AboutPane head={head} /> },
  };
  const selected = oneOf(tabs, url.get("tab"));
  return (
    <Page
      title="Thread"
      crumbs={[{ label: "Threads", to: "/threads" }]}
      aside={
        <>
          <CopyId id={head.thread_id} what="thread id" />
          <StatusBadge status={head.status} />
        </>
      }
      actions={<Actions head={head} />}
    >
      <div className={styles.split}>
        {wide && <div className={styles.left}>{chat}</div>}
        <div className={styles.right}>
          <Tabs
            label="Parts of the thread"
            tabs={tabs.map((tab) => items[tab])}
            selected={selected}
            onSelect={(tab) => url.set({ tab: tab === tabs[0] ? "" : tab })}
          />
        </div>
      </div>
    </Page>
  );
}

const WIDE = "(min-width: 1000px)";

function useWide(): boolean {
  const [wide, setWide] = useState(() => window.matchMedia(WIDE).matches);
  useEffect(() => {
    const media = window.matchMedia(WIDE);
    const onChange = () => setWide(media.matches);
    media.addEventListener("change", onChange);
    return () => media.removeEventListener("change", onChange);
  }, []);
  return wide;
}
