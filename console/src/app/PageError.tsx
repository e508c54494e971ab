import { useRouteError } from "react-router";

import { messageOf } from "../api";
import { Button, Code, Empty } from "../kit";

/** What stands in place of a page that failed: a fault of ours, or a file that is gone since the server was updated. */
export function PageError() {
  const error = useRouteError();
  const outdated = error instanceof TypeError && /import|module/i.test(error.message);
  return (
    <Empty
      title={outdated ? "The console was updated, or the server is away" : "This page failed"}
      actions={
        <Button kind="primary" icon="refresh" onClick={() => window.location.reload()}>
          Reload
        </Button>
      }
    >
      <p>
        {outdated
          ? "A part of this page could not be fetched."
          : "Reloading may help. Nothing on the server was changed by it."}
      </p>
      <Code>{error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error)}</Code>
    </Empty>
  );
}
