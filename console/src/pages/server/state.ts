import { useQuery } from "@tanstack/react-query";

import { call, keys } from "../../api";

export type WorkerState = {
  worker_id: string;
  host: string | null;
  pid: number | null;
  version: string | null;
  concurrency: number | null;
  running: number;
  started_at: string | null;
  expires_at: string;
  lease_seconds: number;
  alive: boolean;
};

export type QueueGroup = {
  graph_id: string;
  priority: string;
  blocked_by: string | null;
  runs: number;
  oldest_seconds: number | null;
};

/** The response of `GET /server`. */
export type ServerState = {
  version: string;
  langgraph_py_version: string;
  python_version: string;
  now: string;
  started_at: string;
  uptime_seconds: number;
  process: { host: string; pid: number; concurrency: number; open_streams: number };
  queue: {
    pending: number;
    running: number;
    due: number;
    oldest_pending_seconds: number | null;
    waiting: QueueGroup[];
  };
  runs: Record<string, number>;
  workers: WorkerState[];
  database: {
    kind: string;
    version: string;
    bytes: number | null;
    files?: Record<string, number>;
    rows: Record<string, number>;
  };
  webhooks: { pending: number; delivered: number; failed: number; oldest_pending_seconds: number | null };
  crons: { enabled: number; disabled: number; next_run_date: string | null };
  settings: Record<string, unknown>;
};

const LOOK_MS = 2000;

export function useServer() {
  return useQuery({
    queryKey: keys.server(),
    queryFn: ({ signal }) => call<ServerState>("GET", "/server", { signal }),
    refetchInterval: LOOK_MS,
  });
}
