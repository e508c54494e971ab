import { useState } from "react";
import { useNavigate } from "react-router";

import { client } from "../../api";
import {
  Button,
  Confirm,
  counted,
  Empty,
  Loaded,
  Page,
  Panel,
  SelectionBar,
  toast,
  useUrl,
  VirtualTable,
} from "../../kit";
import { COLUMNS } from "./columns";
import { Filters } from "./Filters";
import type { ThreadRow } from "./preview";
import { changed, remove } from "./deleteThread";
import { useThreads } from "./useThreads";

const NOTHING: ReadonlySet<string> = new Set();

/** All threads, the last changed first. */
export default function ThreadsPage() {
  const { query, sorting, total, more, hasMore, error } = useThreads();
  const { set } = useUrl();
  const navigate = useNavigate();
  const [selected, setSelected] = useState(NOTHING);
  const [deleting, setDeleting] = useState<readonly ThreadRow[]>([]);
  const chosen = query.data?.filter((thread) => selected.has(thread.thread_id)) ?? [];
  const open = (thread: ThreadRow, aside: boolean) => {
    const path = `/threads/${thread.thread_id}`;
    if (aside) window.open(new URL(path.slice(1), document.baseURI), "_blank", "noopener");
    else void navigate(path);
  };
  return (
    <Page title="Threads" actions={<NewThread />}>
      {chosen.length > 0 ? (
        <SelectionBar what="threads" count={chosen.length} onClear={() => setSelected(NOTHING)}>
          <Button kind="danger" icon="trash" onClick={() => setDeleting(chosen)}>
            Delete {chosen.length}
          </Button>
        </SelectionBar>
      ) : (
        <Filters error={error} />
      )}
      <Panel fill bare label="List of threads">
        <Loaded query={query} what="Threads">
          {(threads) => (
            <VirtualTable
              label="Threads"
              rows={threads}
              rowKey={(thread) => thread.thread_id}
              columns={COLUMNS}
              onOpen={open}
              selection={{ keys: selected, onChange: setSelected }}
              sorting={{
                value: sorting,
                onSort: ({ by, descending }) => set({ sort: by, order: descending ? "" : "asc" }),
              }}
              onEnd={more}
              total={total}
              foot={footOf(threads.length, total, hasMore)}
              empty={<NoThreads />}
              keys={[{ key: "d", does: "Delete the thread", run: (thread) => setDeleting([thread]) }]}
            />
          )}
        </Loaded>
      </Panel>
      <Deletion threads={deleting} onClose={() => setDeleting([])} done={() => setSelected(NOTHING)} />
    </Page>
  );
}

/** The server counts up to a thousand; beyond that there are at least so many. */
function footOf(loaded: number, total: number | null, hasMore: boolean): string {
  const known = Math.max(loaded, total ?? 0);
  return counted(known, "thread", { more: hasMore && known >= 1000 });
}

function NewThread() {
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const create = async () => {
    setBusy(true);
    try {
      const made = await client.threads.create();
      await navigate(`/threads/${made.thread_id}`);
    } catch (error) {
      toast.bad("No thread could be created", error);
      setBusy(false);
    }
  };
  return (
    <Button kind="primary" icon="plus" busy={busy} onClick={() => void create()}>
      New thread
    </Button>
  );
}

function NoThreads() {
  const { get } = useUrl();
  if (get("status") !== "" || get("q") !== "") {
    return (
      <Empty title="No thread matches">
        <p>Take a filter away.</p>
      </Empty>
    );
  }
  return (
    <Empty title="No threads yet" actions={<NewThread />}>
      <p>A thread keeps the state of a conversation from run to run.</p>
    </Empty>
  );
}

type DeletionProps = { threads: readonly ThreadRow[]; onClose: () => void; done: () => void };

function Deletion({ threads, onClose, done }: DeletionProps) {
  const what = counted(threads.length, "thread");
  const run = async () => {
    const ended = await Promise.allSettled(threads.map(remove));
    await changed();
    const failed = ended.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    toast.good(`Deleted ${what}`);
    done();
  };
  return (
    <Confirm title={`Delete ${what}?`} action={`Delete ${what}`} open={threads.length > 0} onClose={onClose} run={run}>
      <p>The states, checkpoints and runs go with it, for good.</p>
    </Confirm>
  );
}
