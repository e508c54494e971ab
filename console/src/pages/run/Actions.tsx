import type { Run } from "@langchain/langgraph-sdk";
import { useState } from "react";
import { useNavigate } from "react-router";

import { askAgain, call, client, keys, queries } from "../../api";
import { Button, ButtonLink, Confirm, IconButton, Menu, toast, type MenuAction } from "../../kit";

/** What can be done with a run. Each says how it went; the page follows by itself. */
export function Actions({ run }: { run: Run }) {
  const navigate = useNavigate();
  const [asking, setAsking] = useState<"delete" | "rollback" | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const { thread_id: threadId, run_id: runId } = run;
  const active = run.status === "pending" || run.status === "running";
  const retryable = run.status === "error" || run.status === "timeout" || run.status === "interrupted";

  const changed = () => {
    void queries.invalidateQueries({ queryKey: keys.runs() });
    void queries.invalidateQueries({ queryKey: keys.threads() });
  };
  const attempt = async (name: string, done: () => Promise<unknown>) => {
    setBusy(name);
    try {
      await done();
      changed();
    } catch (error) {
      toast.bad(`${name} failed`, error);
    } finally {
      setBusy(null);
    }
  };
  const open = (made: { thread_id: string; run_id: string }) =>
    void navigate(`/threads/${made.thread_id}/runs/${made.run_id}`);

  const cancel = () =>
    attempt("Cancelling", async () => {
      await client.runs.cancel(threadId, runId, false, "interrupt");
      toast.good("The run is being cancelled");
    });
  const retry = () =>
    attempt("Retrying", async () => {
      open(await call<Run>("POST", `/threads/${threadId}/runs/${runId}/retry`));
      toast.good("A new run goes on from where this one stopped");
    });
  const again = () =>
    attempt("Running again", async () => {
      open(await call<Run>("POST", `/threads/${threadId}/runs`, { body: askAgain(run) }));
      toast.good("A new run was started with the same input");
    });

  const more: MenuAction[] = [
    { id: "again", label: "Run again with the same input", icon: "refresh", run: () => void again() },
    {
      id: "fork",
      label: "Fork from its checkpoints",
      icon: "fork",
      run: () => void navigate(`/threads/${threadId}?view=history&run=${runId}`),
    },
    ...(active
      ? [
          {
            id: "rollback",
            label: "Cancel and roll back…",
            icon: "left",
            danger: true,
            run: () => setAsking("rollback"),
          } as const,
        ]
      : []),
    { id: "delete", label: "Delete…", icon: "trash", danger: true, run: () => setAsking("delete") },
  ];
  const gone = (text: string) => {
    changed();
    toast.good(text);
    void navigate(`/threads/${threadId}`);
  };
  return (
    <>
      {active && (
        <Button icon="stop" busy={busy === "Cancelling"} onClick={() => void cancel()}>
          Cancel
        </Button>
      )}
      {retryable && (
        <Button kind="primary" icon="refresh" busy={busy === "Retrying"} onClick={() => void retry()}>
          Retry
        </Button>
      )}
      <ButtonLink to={`/threads/${threadId}`} icon="threads">
        Thread
      </ButtonLink>
      <Menu label="More actions" trigger={<IconButton icon="more" label="More actions" />} actions={more} />
      <Confirm
        title="Delete this run?"
        open={asking === "delete"}
        onClose={() => setAsking(null)}
        action="Delete the run"
        run={async () => {
          await client.runs.delete(threadId, runId);
          gone("The run was deleted");
        }}
      >
        Its record and its events go. The checkpoints that it wrote stay with the thread.
      </Confirm>
      <Confirm
        title="Cancel and roll back?"
        open={asking === "rollback"}
        onClose={() => setAsking(null)}
        action="Roll back"
        run={async () => {
          await client.runs.cancel(threadId, runId, true, "rollback");
          gone("The run was rolled back");
        }}
      >
        The run stops, and it goes together with every checkpoint that it wrote: the thread is as before it.
      </Confirm>
    </>
  );
}
