import type { Run } from "@langchain/langgraph-sdk";
import { useMemo, useSyncExternalStore } from "react";

import { nodeFigures, spansOfHistory, type Span } from "../../events";
import { oneOf, Panel, Tabs, useNow, useUrl, type TabItem } from "../../kit";
import { DetailsPanel } from "./DetailsPanel";
import { EventsPanel } from "./EventsPanel";
import { GraphPanel } from "./GraphPanel";
import { lacksNodeEvents } from "./logModes";
import { useHistory, type Overview } from "./queries";
import { MessagesPanel } from "./MessagesPanel";
import styles from "./run.module.css";
import { SpanDetails } from "./SpanDetails";
import { StatePanel } from "./StatePanel";
import { TimelinePanel } from "./TimelinePanel";
import type { RunShown } from "./useRunView";

const ALL = ["graph", "timeline", "messages", "state", "events", "details"] as const;
const ASIDE = ["messages", "state", "events", "details"] as const;
type View = (typeof ALL)[number];

type PanelsProps = { run: Run; overview: Overview | undefined; shown: RunShown };

/** The views of a run: the graph and the timeline beside the others where there is room, else each behind its tab. */
export function Panels({ run, overview, shown }: PanelsProps) {
  const url = useUrl();
  const wide = useWide();
  const { view, playback } = shown;
  const over = shown.feed.phase === "ended" || shown.feed.phase === "failed";
  const moving = playback.live && !over;
  const clock = useNow(moving ? 250 : null);
  const now = moving ? Math.max(clock, playback.to) : playback.at;
  const history = useHistory(run, lacksNodeEvents(view.summary.modes) && shown.total > 0, !over);
  const spans = useSpans(shown, run, history.data);
  const states = useMemo(() => nodeFigures(spans, now), [spans, now]);

  const chosen = url.get("span");
  const selected = spans.find((span) => span.id === chosen) ?? null;
  const select = (span: Span | null) => url.set({ span: span?.id ?? null });
  const selectNode = (id: string | null) => select(latestOf(spans, id));

  const graph = (
    <GraphPanel
      assistantId={run.assistant_id}
      states={states}
      selected={selected?.kind === "node" ? selected.path.join(":") : null}
      onSelect={selectNode}
    />
  );
  const timeline = (
    <TimelinePanel
      spans={spans}
      attempts={view.timeline.attempts}
      from={playback.from}
      to={Math.max(now, playback.to)}
      playhead={playback.live ? null : playback.at}
      now={now}
      selected={selected?.id ?? null}
      onSelect={select}
      grouped={url.get("rows") === "nodes"}
      onGrouped={(grouped) => url.set({ rows: grouped ? "nodes" : null })}
    />
  );
  const tabs: TabItem<View>[] = [
    { id: "graph", label: "Graph", content: graph },
    { id: "timeline", label: "Timeline", content: timeline },
    { id: "messages", label: "Messages", content: <MessagesPanel shown={shown} /> },
    { id: "state", label: "State", content: <StatePanel shown={shown} history={history.data} /> },
    { id: "events", label: "Events", count: shown.count, content: <EventsPanel shown={shown} /> },
    { id: "details", label: "Details", content: <DetailsPanel run={run} overview={overview} shown={shown} /> },
  ];
  const details = selected && (
    <SpanDetails key={selected.id} span={selected} spans={spans} now={now} onSelect={select} />
  );
  const onSelect = (id: View) => url.set({ view: id });
  if (!wide) {
    return (
      <div className={styles.narrow}>
        <div className={styles.tabbed}>
          <Tabs label="Views of the run" tabs={tabs} selected={oneOf(ALL, url.get("view"))} onSelect={onSelect} />
        </div>
        {details}
      </div>
    );
  }
  return (
    <div className={styles.wide}>
      <div className={styles.column}>
        <Panel title="Graph" fill bare>
          {graph}
        </Panel>
        <Panel label="Timeline" fill bare>
          {timeline}
        </Panel>
      </div>
      <div className={styles.column}>
        <div className={styles.tabbed}>
          <Tabs
            label="Views of the run"
            tabs={tabs.slice(2)}
            selected={oneOf(ASIDE, url.get("view"))}
            onSelect={onSelect}
          />
        </div>
        {details}
      </div>
    </div>
  );
}

/** The log's spans; where it knows none, those of the thread's history. */
function useSpans(shown: RunShown, run: Run, history: Parameters<typeof spansOfHistory>[0] | undefined): Span[] {
  const { view, playback } = shown;
  const known = useMemo(() => [...view.timeline.spans.values()], [view]);
  const { status } = view.summary;
  const guessed = useMemo(() => {
    if (history === undefined || known.length > 0) return [];
    const to = status === null ? null : playback.to;
    return spansOfHistory(history, { runId: run.run_id, to, status: status ?? "running" });
  }, [history, known.length, status, playback.to, run.run_id]);
  return useMemo(() => {
    if (known.length > 0) return known;
    // As of the slider: what had not begun is not there, what had not ended runs.
    return guessed
      .filter((span) => span.from <= playback.at)
      .map((span) => (span.to !== null && span.to > playback.at ? { ...span, to: null, status: "running" } : span));
  }, [known, guessed, playback.at]);
}

function latestOf(spans: readonly Span[], id: string | null): Span | null {
  return spans.findLast((span) => span.kind === "node" && span.path.join(":") === id) ?? null;
}

const WIDE = "(min-width: 1080px)";

function useWide(): boolean {
  return useSyncExternalStore(
    (told) => {
      const query = window.matchMedia(WIDE);
      query.addEventListener("change", told);
      return () => query.removeEventListener("change", told);
    },
    () => window.matchMedia(WIDE).matches,
  );
}
