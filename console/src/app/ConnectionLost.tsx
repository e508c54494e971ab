import { useEffect } from "react";

import { call, connection, queries, useExternal } from "../api";
import { Duration, Icon } from "../kit";
import styles from "./shell.module.css";

const AGAIN_MS = 1_500;

/** Says that the server does not answer, looks again until it does, and then has everything loaded anew. */
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
    }, AGAIN_MS);
    return () => clearInterval(timer);
  }, [lost]);
  if (!lost) return null;
  return (
    <div className={styles.lost} role="status">
      <Icon name="warning" />
      <span>
        The server does not answer, for <Duration from={state.since} /> now. What you see is what it said last; looking
        again…
      </span>
    </div>
  );
}
