import { useMemo, useState, type ReactNode } from "react";
import { useNavigate } from "react-router";

import { Confirm, counted, toast } from "../../kit";
import { again, cancel, canCancel, canRetry, changed, isOver, remove, retry, type RunRow } from "./run";

type Act = (runs: readonly RunRow[]) => void;

export type RunActions = { cancel: Act; rollback: Act; retry: Act; again: Act; remove: Act };

type Confirmation = { title: string; says: string; action: string; run: () => Promise<unknown> };

/** What can be done with runs, and the dialog that asks before what cannot be undone. `done` after each, steady. */
export function useActions(done: () => void): { actions: RunActions; dialog: ReactNode } {
  const [confirmation, setConfirmation] = useState<Confirmation | null>(null);
  const navigate = useNavigate();
  const actions = useMemo(
    () => actionsFor(setConfirmation, (path) => void navigate(path), done),
    // navigate() goes to absolute paths only: the one of the first render does.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [done],
  );
  const dialog = confirmation && (
    <Confirm
      open
      title={confirmation.title}
      action={confirmation.action}
      onClose={() => setConfirmation(null)}
      run={confirmation.run}
    >
      <p>{confirmation.says}</p>
    </Confirm>
  );
  return { actions, dialog };
}

function actionsFor(
  ask: (confirmation: Confirmation) => void,
  open: (path: string) => void,
  done: () => void,
): RunActions {
  const each = async (runs: readonly RunRow[], past: string, one: (run: RunRow) => Promise<unknown>) => {
    const ended = await Promise.allSettled(runs.map(one));
    await changed();
    const failed = ended.filter((result) => result.status === "rejected");
    if (failed.length < runs.length) toast.good(`${past} ${counted(runs.length - failed.length, "run")}`);
    const [first] = failed;
    if (first !== undefined) toast.bad(`${counted(failed.length, "run")} refused`, first.reason);
    done();
  };
  const start = async (runs: readonly RunRow[], past: string, one: typeof retry) => {
    const [only] = runs;
    if (only === undefined || runs.length > 1) return each(runs, past, one);
    try {
      const { thread_id: thread, run_id: run } = await one(only);
      await changed();
      toast.good("Started", { label: "Open", run: () => open(`/threads/${thread}/runs/${run}`) });
    } catch (error) {
      toast.bad("It could not be started", error);
    }
  };
  const sure = (runs: readonly RunRow[], verb: string, says: string, run: () => Promise<unknown>) => {
    const action = `${verb} ${counted(runs.length, "run")}`;
    if (runs.length > 0) ask({ title: `${action}?`, says, action, run });
  };
  return {
    cancel: (runs) => void each(runs.filter(canCancel), "Cancelled", (run) => cancel(run, "interrupt")),
    rollback: (given) => {
      const runs = given.filter(canCancel);
      sure(runs, "Roll back", ROLL_BACK, () => each(runs, "Rolled back", (run) => cancel(run, "rollback")));
    },
    retry: (runs) => void start(runs.filter(canRetry), "Retried", retry),
    again: (runs) => void start(runs.filter(isOver), "Started again", again),
    remove: (given) => {
      const runs = given.filter(isOver);
      sure(runs, "Delete", DELETE, () => each(runs, "Deleted", remove));
    },
  };
}

const ROLL_BACK = "The run stops; it and all that it wrote to its thread are gone, as if it had never been started.";
const DELETE = "The events go for good. What was written to the thread stays.";
