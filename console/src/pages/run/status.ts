import type { Run } from "@langchain/langgraph-sdk";

import type { RunShown } from "./useRunView";

/** The run's status now: the feed knows sooner than the record, which is asked for now and then. */
export function statusOf(run: Run, shown: Pick<RunShown, "feed" | "total">): string {
  if (shown.feed.phase === "ended") return shown.feed.status;
  if (run.status === "pending" && shown.total > 0) return "running";
  return run.status;
}
