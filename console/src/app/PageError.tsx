import { useRouteError } from "react-router";

import { messageOf } from "../api";
import { Button, Code, Empty } from "../kit";

/** Replaces a page that failed: by a bug, or because an update of the server removed one of its files. */
export function PageError() {
  const error = useRouteError();
  const outdated = error instanceof TypeError && /import|module/i.test(error.message);
  return (
    <Empty
      title={outdated ? "The console was updated, or the server is down" : "This page failed"}
      actions={
        <Button kind="primary" icon="refresh" onClick={() => window.location.reload()}>
          Reload
        </Button>
      }
    >
      <p>
        {outdated ? "Part of this page could not be loaded." : "Reloading may help. Nothing on the server has changed."}
      </p>
      <Code>{error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error)}</Code>
    </Empty>
  );
}
