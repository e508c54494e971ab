import { useMemo, useState } from "react";

import { Button, Checkbox, counted, Empty, IconButton, Loaded, Toolbar, useHotkeys, useUrl } from "../../kit";
import { CheckpointView } from "./CheckpointView";
import { useHistory } from "./data";
import { DiffView } from "./DiffView";
import { checkpointsOf, treeOf, type Checkpoint } from "./history";
import { HistoryRow } from "./HistoryRow";
import styles from "./thread.module.css";

type HistoryPaneProps = { threadId: string; assistantId: string | null };

/** The tree of checkpoints beside the selected one, or a diff of two. `?ns` selects a subgraph's history. */
export function HistoryPane({ threadId, assistantId }: HistoryPaneProps) {
  const url = useUrl();
  const namespace = url.get("ns");
  const query = useHistory(threadId, namespace);
  const checkpoints = useMemo(() => checkpointsOf(query.data?.pages.flat() ?? []), [query.data]);
  const tree = useMemo(() => treeOf(checkpoints), [checkpoints]);
  const [comparing, setComparing] = useState(false);
  const at = checkpoints.find((each) => each.id === url.get("at")) ?? checkpoints[0] ?? null;
  const other = checkpoints.find((each) => each.id === url.get("with")) ?? null;
  const choose = (checkpoint: Checkpoint, compare: boolean) => {
    if (!compare) url.set({ at: checkpoint.id, with: "" });
    else if (checkpoint.id !== at?.id)
      url.set({ at: at?.id ?? "", with: checkpoint.id === other?.id ? "" : checkpoint.id });
  };
  useRowKeys(checkpoints, at, (next) => choose(next, false));
  return (
    <Loaded query={query} what="History">
      {() => (
        <div className={styles.history}>
          <Toolbar label="History">
            {namespace !== "" && (
              <Button small icon="left" onClick={() => url.set({ ns: "", at: "", with: "" })}>
                Back from{" "}
                {namespace
                  .split("|")
                  .map((part) => part.split(":")[0])
                  .join(" › ")}
              </Button>
            )}
            <span className="muted">
              {counted(checkpoints.length, "checkpoint", { more: query.hasNextPage })}
              {tree.branches > 1 && `, ${tree.branches} branches`}
            </span>
            <span className={styles.space} />
            <Checkbox
              checked={comparing || other !== null}
              onChange={(on) => {
                setComparing(on);
                if (!on) url.set({ with: "" });
              }}
            >
              Compare two
            </Checkbox>
            <IconButton icon="refresh" label="Load again" small onClick={() => void query.refetch()} />
          </Toolbar>
          {checkpoints.length === 0 ? (
            <Empty title="No checkpoints yet">
              <p>Each step of a run leaves one.</p>
            </Empty>
          ) : (
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard
            <div className={styles.rows} tabIndex={0} role="group" aria-label="Checkpoints, newest first">
              {tree.rows.map((row) => (
                <HistoryRow
                  key={row.checkpoint.id}
                  row={row}
                  lanes={tree.lanes}
                  latest={row.checkpoint.id === checkpoints[0]?.id}
                  mark={row.checkpoint.id === at?.id ? "selected" : row.checkpoint.id === other?.id ? "other" : null}
                  onSelect={(aside) => choose(row.checkpoint, aside || comparing)}
                />
              ))}
              {query.hasNextPage && (
                <Button small kind="quiet" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                  Older checkpoints
                </Button>
              )}
            </div>
          )}
          {at !== null && other !== null && (
            <DiffView threadId={threadId} from={older(at, other)} to={newer(at, other)} />
          )}
          {at !== null && other === null && (
            <CheckpointView
              key={at.id}
              threadId={threadId}
              checkpoint={at}
              latest={at.id === checkpoints[0]?.id}
              assistantId={assistantId}
              comparing={comparing}
            />
          )}
        </div>
      )}
    </Loaded>
  );
}

/** Checkpoint ids sort by creation time. */
function older(a: Checkpoint, b: Checkpoint): Checkpoint {
  return a.id < b.id ? a : b;
}

function newer(a: Checkpoint, b: Checkpoint): Checkpoint {
  return a.id < b.id ? b : a;
}

function useRowKeys(checkpoints: readonly Checkpoint[], at: Checkpoint | null, go: (to: Checkpoint) => void): void {
  const move = (by: number) => {
    const index = checkpoints.findIndex((each) => each.id === at?.id);
    const next = checkpoints[Math.min(Math.max(index + by, 0), checkpoints.length - 1)];
    if (next !== undefined) go(next);
  };
  useHotkeys([
    { key: "j", does: "Older checkpoint", run: () => move(1) },
    { key: "k", does: "Newer checkpoint", run: () => move(-1) },
  ]);
}
