import { useCallback, useMemo, useState } from "react";
import { useNavigate } from "react-router";

import { Button, ButtonLink, counted, Empty, Loaded, Page, Panel, SelectionBar, useUrl, VirtualTable } from "../../kit";
import { columnsFor } from "./columns";
import { Filters } from "./Filters";
import { canCancel, canRetry, isOver, type FoundRun } from "./run";
import { useActions, type Doing } from "./useActions";
import { useFilter, useRuns } from "./useRuns";

const NOTHING: ReadonlySet<string> = new Set();

/** Runs of all threads, live. */
export default function RunsPage() {
  const filter = useFilter();
  const { query, more, hasMore, error } = useRuns(filter);
  const [selected, setSelected] = useState(NOTHING);
  const clear = useCallback(() => setSelected(NOTHING), []);
  const { doing, dialog } = useActions(clear);
  const chosen = query.data?.filter((run) => selected.has(run.run_id)) ?? [];
  return (
    <Page title="Runs" actions={<NewRun />}>
      {chosen.length > 0 ? (
        <Chosen runs={chosen} doing={doing} clear={clear} />
      ) : (
        <Filters filter={filter} error={error} />
      )}
      <Panel fill bare label="List of runs">
        <Loaded query={query} what="Runs">
          {(runs) => (
            <RunTable
              runs={runs}
              doing={doing}
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
  runs: readonly FoundRun[];
  doing: Doing;
  selection: { keys: ReadonlySet<string>; onChange: (keys: ReadonlySet<string>) => void };
  more: () => void;
  hasMore: boolean;
};

function RunTable({ runs, doing, selection, more, hasMore }: RunTableProps) {
  const filter = useFilter();
  const { set } = useUrl();
  const navigate = useNavigate();
  const columns = useMemo(() => columnsFor(doing), [doing]);
  const open = (run: FoundRun, aside: boolean) => {
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
        { key: "c", does: "Cancel the run", run: (run) => doing.cancel([run]) },
        { key: "r", does: "Retry the run", run: (run) => doing.retry([run]) },
        { key: "d", does: "Delete the run", run: (run) => doing.remove([run]) },
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
function Chosen({ runs, doing, clear }: { runs: readonly FoundRun[]; doing: Doing; clear: () => void }) {
  const ended = runs.filter(isOver).length;
  const open = runs.filter(canCancel).length;
  return (
    <SelectionBar what="runs" count={runs.length} onClear={clear}>
      <Button
        icon="stop"
        disabled={open === 0}
        why="None of them is pending or running"
        onClick={() => doing.cancel(runs)}
      >
        Cancel {open || ""}
      </Button>
      <Button
        icon="left"
        disabled={open === 0}
        why="None of them is pending or running"
        onClick={() => doing.rollback(runs)}
      >
        Roll back {open || ""}
      </Button>
      <Button
        icon="refresh"
        disabled={!runs.some(canRetry)}
        why="None of them failed"
        onClick={() => doing.retry(runs)}
      >
        Retry
      </Button>
      <Button
        kind="danger"
        icon="trash"
        disabled={ended === 0}
        why="All of them are active"
        onClick={() => doing.remove(runs)}
      >
        Delete {ended || ""}
      </Button>
    </SelectionBar>
  );
}
