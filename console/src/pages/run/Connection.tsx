import { Button, count, Notice, useNow } from "../../kit";
import type { RunShown } from "./useRunView";

/** Says when events do not come: the connection is cut and made anew, or some are gone for good. */
export function Connection({ shown }: { shown: RunShown }) {
  const { feed, missing } = shown;
  return (
    <>
      {feed.phase === "reconnecting" && (
        <Reconnecting reason={feed.reason} retryAt={feed.retryAt} onRetry={shown.reconnect} />
      )}
      {missing > 0 && (
        <Notice>
          {count(missing)} events are no longer kept (retention). What can still be known comes from the thread’s
          history.
        </Notice>
      )}
    </>
  );
}

type ReconnectingProps = { reason: string; retryAt: number; onRetry: () => void };

function Reconnecting({ reason, retryAt, onRetry }: ReconnectingProps) {
  const now = useNow(500);
  const seconds = Math.max(0, Math.ceil((retryAt - now) / 1000));
  return (
    <Notice
      action={
        <Button small icon="refresh" onClick={onRetry}>
          Now
        </Button>
      }
    >
      Reconnecting{seconds > 1 ? ` in ${seconds} s` : "…"} {reason} Nothing is lost: it goes on after the last event.
    </Notice>
  );
}
