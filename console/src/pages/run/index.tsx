import { useQuery } from "@tanstack/react-query";
import type { Run } from "@langchain/langgraph-sdk";
import { useEffect } from "react";
import { useParams } from "react-router";

import { client, isNotFound, keys, queries } from "../../api";
import { ButtonLink, Empty, Failure, Loaded, Notice, Page, shortId } from "../../kit";
import { Actions } from "./Actions";
import { RunSummary } from "./RunSummary";
import { Connection } from "./Connection";
import { Panels } from "./Panels";
import { ReplayBar } from "./ReplayBar";
import { useOverview } from "./queries";
import styles from "./run.module.css";
import { useRunView } from "./useRunView";

export default function RunPage() {
  const { threadId = "", runId = "" } = useParams();
  // Another run is another page: nothing of the one before it may be seen.
  return <OneRun key={`${threadId}/${runId}`} threadId={threadId} runId={runId} />;
}

type Ids = { threadId: string; runId: string };

function OneRun({ threadId, runId }: Ids) {
  const run = useQuery({
    queryKey: keys.run(threadId, runId),
    queryFn: () => client.runs.get(threadId, runId),
    refetchInterval: ({ state }) => (isActive(state.data) ? 3000 : false),
  });
  if (isNotFound(run.error)) {
    return (
      <Page title={`Run ${shortId(runId)}`} crumbs={[{ label: "Runs", to: "/runs" }]}>
        <Gone threadId={threadId} />
      </Page>
    );
  }
  if (run.data === undefined) {
    return (
      <Page title={`Run ${shortId(runId)}`} crumbs={[{ label: "Runs", to: "/runs" }]}>
        <Loaded query={run} what="The run">
          {() => null}
        </Loaded>
      </Page>
    );
  }
  return <RunView run={run.data} />;
}

function RunView({ run }: { run: Run }) {
  const { thread_id: threadId, run_id: runId } = run;
  const shown = useRunView(threadId, runId);
  const overview = useOverview(run);
  const ended = shown.feed.phase === "ended" ? shown.feed.status : null;
  useEffect(() => {
    // The end changes the run's record, its thread and every list that it is in. A run that was rolled back or deleted
    // has no record to ask for: its page stays as it was.
    if (ended === null) return;
    const own = keys.run(threadId, runId).join();
    const predicate = ({ queryKey }: { queryKey: readonly unknown[] }) =>
      ended !== "rolled_back" || !queryKey.join().startsWith(own);
    void queries.invalidateQueries({ queryKey: keys.runs(), predicate });
    void queries.invalidateQueries({ queryKey: keys.thread(threadId) });
  }, [ended, threadId, runId]);
  return (
    <Page
      title={`Run ${shortId(runId)}`}
      crumbs={[
        { label: "Runs", to: "/runs" },
        { label: `Thread ${shortId(threadId)}`, to: `/threads/${threadId}` },
      ]}
      aside={<RunSummary run={run} overview={overview} shown={shown} />}
      actions={<Actions run={run} checkpoint={shown.view.states.checkpoint} />}
    >
      <Connection shown={shown} />
      {ended === "rolled_back" && (
        <Notice>This run was rolled back or deleted: what is here goes with a reload of the page.</Notice>
      )}
      {overview?.blocked_by && <Notice>{WAITS[overview.blocked_by] ?? `It waits: ${overview.blocked_by}.`}</Notice>}
      {shown.feed.phase === "failed" && shown.total === 0 ? (
        <Failure error={shown.feed.error} what="The run's events could not be read" />
      ) : (
        <>
          <Panels run={run} overview={overview} shown={shown} />
          <div className={styles.foot}>
            <ReplayBar shown={shown} />
          </div>
        </>
      )}
    </Page>
  );
}

const WAITS: Record<string, string> = {
  time: "It is not due yet: it was asked to start later.",
  thread: "It waits for another run of its thread to end.",
  graph: "It waits: as many runs of its graph as may run at once are running.",
  key: "It waits: as many runs of its concurrency key as may run at once are running.",
};

function Gone({ threadId }: { threadId: string }) {
  return (
    <Empty title="There is no such run" actions={<ButtonLink to={`/threads/${threadId}`}>Open its thread</ButtonLink>}>
      <p>It was deleted or rolled back, or its thread is gone. A run without a thread goes with its end.</p>
    </Empty>
  );
}

function isActive(run: Run | undefined): boolean {
  return run?.status === "pending" || run?.status === "running";
}
