import { IconButton, Menu, type MenuAction } from "../../kit";
import { canCancel, canRetry, isOver, type RunRow } from "./run";
import type { RunActions } from "./useActions";

/** What can be done with one run. */
export function RowMenu({ run, actions }: { run: RunRow; actions: RunActions }) {
  return (
    <Menu
      label={`Run ${run.run_id}`}
      trigger={<IconButton icon="more" label={`Actions for run ${run.run_id}`} small />}
      actions={actionsOf(run, actions)}
    />
  );
}

function actionsOf(run: RunRow, actions: RunActions): MenuAction[] {
  const done = isOver(run);
  return [
    { id: "cancel", label: "Cancel", icon: "stop", disabled: !canCancel(run), run: () => actions.cancel([run]) },
    {
      id: "rollback",
      label: "Cancel and roll back",
      icon: "left",
      danger: true,
      disabled: !canCancel(run),
      run: () => actions.rollback([run]),
    },
    {
      id: "retry",
      label: "Retry from where it stopped",
      icon: "refresh",
      disabled: !canRetry(run),
      run: () => actions.retry([run]),
    },
    {
      id: "again",
      label: "Run again with the same input",
      icon: "send",
      disabled: !done,
      run: () => actions.again([run]),
    },
    { id: "delete", label: "Delete", icon: "trash", danger: true, disabled: !done, run: () => actions.remove([run]) },
  ];
}
