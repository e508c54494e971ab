import { useEffect } from "react";

import { call, connection, queries, useExternal } from "../api";
import { Duration, Icon } from "../kit";
import styles from "./shell.module.css";

const POLL_MS = 1_500;

/** Shows that the server is unreachable, polls until it responds, then reloads all data. */
export function ConnectionLost() {
  const state = useExternal(connection);
  const lost = state.kind === "lost";
  useEffect(() => {
    if (!lost) return;
    const timer = setInterval(() => {
      call("GET", "/ok").then(
        () => void queries.invalidateQueries(),
        () => undefined,
      );
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [lost]);
  if (!lost) return null;
  return (
    <div className={styles.lost} role="status">
      <Icon name="warning" />
      <span>
        The server has not responded for <Duration from={state.since} />. This page shows the last known data;
        reconnecting…
      </span>
    </div>
  );
}
