import { useQuery } from "@tanstack/react-query";

import { call, keys } from "../api";
import styles from "./shell.module.css";

type Info = { version: string; langgraph_py_version: string };

export function Version() {
  const info = useQuery({
    queryKey: keys.info(),
    queryFn: ({ signal }) => call<Info>("GET", "/info", { signal }),
    // Also detects an unreachable server on pages that do not poll.
    refetchInterval: 5_000,
  });
  if (info.data === undefined) return null;
  return (
    <div className={styles.version} title={`LangGraph ${info.data.langgraph_py_version}`}>
      treadle {info.data.version}
    </div>
  );
}
