import type { Run } from "@langchain/langgraph-sdk";
import { useState } from "react";
import { useNavigate } from "react-router";

import { repeatRunBody, call, client, keys, queries } from "../../api";
import { Button, ButtonLink, Confirm, IconButton, Menu, toast, type MenuAction } from "../../kit";

/** What can be done with a run. `checkpoint` is the one that its views are at: a fork begins there. Each says how it went; the page follows by itself. */
export function Actions({ run, checkpoint }: { run: Run; checkpoint: string | null }) {
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
      open(await call<Run>("POST", `/threads/${threadId}/runs`, { body: repeatRunBody(run) }));
      toast.good("A new run was started with the same input");
    });

  const fork = () =>
    attempt("Finding its checkpoint", async () => {
      const at = checkpoint ?? (await lastCheckpoint(run));
      void navigate(`/threads/${threadId}?tab=history${at === null ? "" : `&at=${at}`}`);
    });

  const more: MenuAction[] = [
    { id: "again", label: "Run again with the same input", icon: "refresh", run: () => void again() },
    {
      id: "fork",
      label: "Fork from here",
      icon: "fork",
      run: () => void fork(),
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
  const gone = async (text: string) => {
    toast.good(text);
    // First away from its page: asking for it again would only be told that it is gone.
    await navigate(`/threads/${threadId}`);
    queries.removeQueries({ queryKey: keys.run(threadId, runId) });
    changed();
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
          await gone("The run was deleted");
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
          await gone("The run was rolled back");
        }}
      >
        The run stops, and it goes together with every checkpoint that it wrote: the thread is as before it.
      </Confirm>
    </>
  );
}

async function lastCheckpoint(run: Run): Promise<string | null> {
  const [last] = await client.threads.getHistory(run.thread_id, { limit: 1, metadata: { run_id: run.run_id } });
  return last?.checkpoint.checkpoint_id ?? null;
}
