import { IconButton, Menu, type MenuAction } from "../../kit";
import { canCancel, canRetry, isOver, type FoundRun } from "./run";
import type { Doing } from "./useActions";

/** What can be done with one run. */
export function RowMenu({ run, doing }: { run: FoundRun; doing: Doing }) {
  return (
    <Menu
      label={`Run ${run.run_id}`}
      trigger={<IconButton icon="more" label={`Actions for run ${run.run_id}`} small />}
      actions={actionsOf(run, doing)}
    />
  );
}

function actionsOf(run: FoundRun, doing: Doing): MenuAction[] {
  const done = isOver(run);
  return [
    { id: "cancel", label: "Cancel", icon: "stop", disabled: !canCancel(run), run: () => doing.cancel([run]) },
    {
      id: "rollback",
      label: "Cancel and roll back",
      icon: "left",
      danger: true,
      disabled: !canCancel(run),
      run: () => doing.rollback([run]),
    },
    {
      id: "retry",
      label: "Retry from where it stopped",
      icon: "refresh",
      disabled: !canRetry(run),
      run: () => doing.retry([run]),
    },
    {
      id: "again",
      label: "Run again with the same input",
      icon: "send",
      disabled: !done,
      run: () => doing.again([run]),
    },
    { id: "delete", label: "Delete", icon: "trash", danger: true, disabled: !done, run: () => doing.remove([run]) },
  ];
}
