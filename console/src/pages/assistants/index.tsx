import { useState } from "react";
import { useNavigate } from "react-router";

import {
  Button,
  counted,
  Empty,
  Loaded,
  Page,
  Panel,
  SearchField,
  Toolbar,
  useHotkeys,
  useDebouncedText,
  useUrl,
  VirtualTable,
} from "../../kit";
import { AssistantDialog } from "./AssistantDialog";
import styles from "./assistants.module.css";
import { COLUMNS } from "./columns";
import { useAssistants, type Assistant } from "./useAssistants";

/** Every graph of the project, and what was made of them. */
export default function AssistantsPage() {
  const { query, sorting, total, filtered, more } = useAssistants();
  const [creating, setCreating] = useState(false);
  const { get, set } = useUrl();
  const [text, setText] = useDebouncedText(get("q"), (q) => set({ q }));
  const navigate = useNavigate();
  const open = ({ assistant_id: id }: Assistant, aside: boolean) => {
    if (aside) window.open(new URL(`assistants/${id}`, document.baseURI), "_blank", "noopener");
    else void navigate(`/assistants/${id}`);
  };
  useHotkeys([{ key: "n", does: "New assistant", run: () => setCreating(true) }]);
  return (
    <Page
      title="Assistants"
      actions={
        <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
          New assistant
        </Button>
      }
    >
      <Toolbar label="Filters">
        <div className={styles.search}>
          <SearchField label="Name contains" value={text} onChange={setText} />
        </div>
      </Toolbar>
      <Panel fill bare label="List of assistants">
        <Loaded query={query} what="Assistants">
          {(assistants) => (
            <VirtualTable
              label="Assistants"
              rows={assistants}
              rowKey={(assistant) => assistant.assistant_id}
              columns={COLUMNS}
              onOpen={open}
              sorting={{
                value: sorting,
                onSort: ({ by, descending }) => set({ sort: by, order: descending ? "" : "asc" }),
              }}
              onEnd={more}
              total={total}
              foot={counted(total ?? assistants.length, "assistant")}
              empty={filtered ? <NoMatch onClear={() => setText("")} /> : <NoGraphs />}
            />
          )}
        </Loaded>
      </Panel>
      {creating && (
        <AssistantDialog
          purpose="create"
          onClose={() => setCreating(false)}
          onDone={(made) => void navigate(`/assistants/${made.assistant_id}`)}
        />
      )}
    </Page>
  );
}

function NoMatch({ onClear }: { onClear: () => void }) {
  return (
    <Empty title="No assistant has such a name" actions={<Button onClick={onClear}>Show all</Button>}>
      <p>Graphs have assistants of their own name.</p>
    </Empty>
  );
}

function NoGraphs() {
  return (
    <Empty title="No assistants">
      <p>Each graph of the project’s langgraph.json has one. Is there a graph in it?</p>
    </Empty>
  );
}
