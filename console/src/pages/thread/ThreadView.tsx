import { useEffect, useState } from "react";

import { CopyId, oneOf, Page, StatusBadge, Tabs, useUrl, type TabItem } from "../../kit";
import { AboutPane } from "./AboutPane";
import { Actions } from "./Actions";
import { ChatPane } from "./ChatPane";
import { useAssistants, useRuns } from "./data";
import { HistoryPane } from "./HistoryPane";
import { RunsPane } from "./RunsPane";
import { StatePane } from "./StatePane";
import styles from "./thread.module.css";
import type { RunRow, ThreadHead } from "./types";

const SIDE = ["history", "state", "runs", "about"] as const;
type Tab = "chat" | (typeof SIDE)[number];

/** The conversation beside what lies under it; on a narrow screen one after the other, in tabs. */
export function ThreadView({ head }: { head: ThreadHead }) {
  const url = useUrl();
  const wide = useWide();
  const runs = useRuns(head.thread_id);
  const rows = runs.data?.pages.flat() ?? [];
  const assistant = useAssistantId(head, rows);
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

export type AssistantChoice = { id: string | null; graphId: string | null; choose: (id: string) => void };

/** Whom the next run asks: whoever was chosen, else who ran last, else who the thread was made for. */
function useAssistantId(head: ThreadHead, runs: readonly RunRow[]): AssistantChoice {
  const [chosen, choose] = useState<string | null>(null);
  const assistants = useAssistants();
  const told = typeof head.metadata.assistant_id === "string" ? head.metadata.assistant_id : null;
  const graphId = typeof head.metadata.graph_id === "string" ? head.metadata.graph_id : (runs[0]?.graph_id ?? null);
  const only = assistants.data?.length === 1 ? assistants.data[0]?.assistant_id : undefined;
  const byGraph = assistants.data?.find((each) => each.graph_id === graphId)?.assistant_id;
  return { id: chosen ?? runs[0]?.assistant_id ?? told ?? byGraph ?? only ?? null, graphId, choose };
}

const WIDE = "(min-width: 1000px)";

function useWide(): boolean {
  const [wide, setWide] = useState(() => window.matchMedia(WIDE).matches);
  useEffect(() => {
    const media = window.matchMedia(WIDE);
    const told = () => setWide(media.matches);
    media.addEventListener("change", told);
    return () => media.removeEventListener("change", told);
  }, []);
  return wide;
}
