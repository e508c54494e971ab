import { useState } from "react";
import { useNavigate } from "react-router";

import { client, keys, queries } from "../../api";
import { Button, Confirm, Menu, toast } from "../../kit";
import { AssistantDialog, type Purpose } from "../assistants/AssistantDialog";
import type { Assistant } from "./data";

/** Edit, copy and delete. A graph's own assistant cannot be deleted: the graph is in the project. */
export function AssistantActions({ assistant, onGone }: { assistant: Assistant; onGone: () => void }) {
  const [purpose, setPurpose] = useState<Purpose | null>(null);
  const [deleting, setDeleting] = useState(false);
  const navigate = useNavigate();
  const own = assistant.metadata?.created_by === "system";
  const remove = async () => {
    await client.assistants.delete(assistant.assistant_id);
    toast.good(`${assistant.name} is deleted`);
    onGone();
    // Not its own page's queries, which is still there for a moment and would find nothing.
    await queries.invalidateQueries({ queryKey: keys.assistants("list") });
  };
  return (
    <>
      <Button icon="edit" onClick={() => setPurpose("edit")}>
        Edit
      </Button>
      <Menu
        label="More"
        trigger={<Button icon="more">More</Button>}
        actions={[
          { id: "copy", label: "Copy to a new assistant", icon: "copy", run: () => setPurpose("copy") },
          { id: "delete", label: "Delete", icon: "trash", danger: true, disabled: own, run: () => setDeleting(true) },
        ]}
      />
      {purpose !== null && (
        <AssistantDialog
          purpose={purpose}
          from={assistant}
          onClose={() => setPurpose(null)}
          onDone={(saved) => {
            if (purpose === "copy") void navigate(`/assistants/${saved.assistant_id}`);
          }}
        />
      )}
      <Confirm
        title={`Delete ${assistant.name}`}
        open={deleting}
        onClose={() => setDeleting(false)}
        action="Delete assistant"
        run={remove}
      >
        <p>All its versions go. Threads and runs of it stay, and can still be read.</p>
      </Confirm>
    </>
  );
}
