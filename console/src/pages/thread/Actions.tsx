import { useState } from "react";
import { useNavigate } from "react-router";

import { client, keys, queries } from "../../api";
import { Confirm, copy, IconButton, Menu, toast } from "../../kit";
import type { ThreadHead } from "./types";
import { useAction } from "./useAction";

/** Actions on the thread as a whole. */
export function Actions({ head }: { head: ThreadHead }) {
  const navigate = useNavigate();
  const { act } = useAction();
  const [deleting, setDeleting] = useState(false);
  const threadId = head.thread_id;
  const duplicate = async () => {
    // The SDK declares void, but the server returns the new thread.
    const made = (await client.threads.copy(threadId)) as unknown as { thread_id: string };
    await queries.invalidateQueries({ queryKey: keys.threads() });
    toast.good("Copied the thread: this is the copy");
    await navigate(`/threads/${made.thread_id}`);
  };
  const remove = async () => {
    await client.threads.delete(threadId);
    toast.good("Deleted the thread");
    await navigate("/threads");
    queries.removeQueries({ queryKey: keys.thread(threadId) });
    await queries.invalidateQueries({ queryKey: keys.threads() });
  };
  return (
    <>
      <Menu
        label="Thread"
        trigger={<IconButton icon="more" label="Actions on the thread" />}
        actions={[
          {
            id: "copy",
            label: "Copy the thread",
            icon: "copy",
            run: () => void act("The thread could not be copied", duplicate),
          },
          { id: "link", label: "Copy the link", icon: "link", run: () => void copy(window.location.href, "link") },
          { id: "delete", label: "Delete the thread", icon: "trash", danger: true, run: () => setDeleting(true) },
        ]}
      />
      <Confirm
        title="Delete the thread?"
        open={deleting}
        onClose={() => setDeleting(false)}
        action="Delete the thread"
        run={remove}
      >
        <p>Its runs, its history and its state go with it. This cannot be undone.</p>
      </Confirm>
    </>
  );
}
