import { useCallback, useMemo, useState } from "react";
import { useNavigate } from "react-router";

import { Button, ButtonLink, counted, Empty, Loaded, Page, Panel, SelectionBar, useUrl, VirtualTable } from "../../kit";
import { columnsFor } from "./columns";
import { Filters } from "./Filters";
import { canCancel, canRetry, isOver, type RunRow } from "./run";
import { useActions, type RunActions } from "./useActions";
import { useFilter, useRuns } from "./useRuns";

const NOTHING: ReadonlySet<string> = new Set();

/** Runs of all threads, live. */
export default function RunsPage() {
  const filter = useFilter();
  const { query, more, hasMore, error } = useRuns(filter);
  const [selected, setSelected] = useState(NOTHING);
  const clear = useCallback(() => setSelected(NOTHING), []);
  const { actions, dialog } = useActions(clear);
  const chosen = query.data?.filter((run) => selected.has(run.run_id)) ?? [];
  return (
    <Page title="Runs" actions={<NewRun />}>
      {chosen.length > 0 ? (
        <SelectedRuns runs={chosen} actions={actions} clear={clear} />
      ) : (
        <Filters filter={filter} error={error} />
      )}
      <Panel fill bare label="List of runs">
        <Loaded query={query} what="Runs">
          {(runs) => (
            <RunTable
              runs={runs}
              actions={actions}
              selection={{ keys: selected, onChange: setSelected }}
              more={more}
              hasMore={hasMore}
            />
          )}
        </Loaded>
      </Panel>
      {dialog}
    </Page>
  );
}

function NewRun() {
  return (
    <ButtonLink kind="primary" icon="plus" to="/assistants">
      New run
    </ButtonLink>
  );
}

type RunTableProps = {
  runs: readonly RunRow[];
  actions: RunActions;
  selection: { keys: ReadonlySet<string>; onChange: (keys: ReadonlySet<string>) => void };
  more: () => void;
  hasMore: boolean;
};

function RunTable({ runs, actions, selection, more, hasMore }: RunTableProps) {
  const filter = useFilter();
  const { set } = useUrl();
  const navigate = useNavigate();
  const columns = useMemo(() => columnsFor(actions), [actions]);
  const open = (run: RunRow, aside: boolean) => {
    const path = `/threads/${run.thread_id}/runs/${run.run_id}`;
    if (aside) window.open(new URL(path.slice(1), document.baseURI), "_blank", "noopener");
    else void navigate(path);
  };
  return (
    <VirtualTable
      label="Runs"
      rows={runs}
      rowKey={(run) => run.run_id}
      columns={columns}
      onOpen={open}
      selection={selection}
      sorting={{
        value: { by: filter.sort, descending: filter.descending },
        onSort: ({ by, descending }) => set({ sort: by, order: descending ? "" : "asc" }),
      }}
      onEnd={more}
      foot={counted(runs.length, "run", { more: hasMore })}
      empty={<NoRuns />}
      keys={[
        { key: "c", does: "Cancel the run", run: (run) => actions.cancel([run]) },
        { key: "r", does: "Retry the run", run: (run) => actions.retry([run]) },
        { key: "d", does: "Delete the run", run: (run) => actions.remove([run]) },
      ]}
    />
  );
}

function NoRuns() {
  const { statuses, assistant, text, since } = useFilter();
  if (statuses.length > 0 || assistant !== "" || text !== "" || since !== "") {
    return (
      <Empty title="No run matches">
        <p>Take a filter away, or look further back.</p>
      </Empty>
    );
  }
  return (
    <Empty
      title="No runs yet"
      actions={
        <ButtonLink kind="primary" to="/assistants">
          Choose an assistant
        </ButtonLink>
      }
    >
      <p>Start one from an assistant’s page or with any LangGraph SDK; it appears here at once.</p>
    </Empty>
  );
}

/** What can be done with all that are selected. */
function SelectedRuns({ runs, actions, clear }: { runs: readonly RunRow[]; actions: RunActions; clear: () => void }) {
  const ended = runs.filter(isOver).length;
  const open = runs.filter(canCancel).length;
  return (
    <SelectionBar what="runs" count={runs.length} onClear={clear}>
      <Button
        icon="stop"
        disabled={open === 0}
        why="None of them is pending or running"
        onClick={() => actions.cancel(runs)}
      >
        Cancel {open || ""}
      </Button>
      <Button
        icon="left"
        disabled={open === 0}
        why="None of them is pending or running"
        onClick={() => actions.rollback(runs)}
      >
        Roll back {open || ""}
      </Button>
      <Button
        icon="refresh"
        disabled={!runs.some(canRetry)}
        why="None of them failed"
        onClick={() => actions.retry(runs)}
      >
        Retry
      </Button>
      <Button
        kind="danger"
        icon="trash"
        disabled={ended === 0}
        why="All of them are active"
        onClick={() => actions.remove(runs)}
      >
        Delete {ended || ""}
      </Button>
    </SelectionBar>
  );
}
