import { QueryClient } from "@tanstack/react-query";

import { isTransient } from "./errors";

/** The query client. Transient failures are retried twice; other errors are shown at once. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => failures < 2 && isTransient(error),
      retryDelay: (failures) => Math.min(500 * 2 ** failures, 4000),
      staleTime: 1000,
      refetchOnWindowFocus: true,
      // The browser's offline state does not matter for a server on the same machine.
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

/**
 * Query keys, defined once so that every mutation can invalidate the right queries. Each starts with its resource:
 * `queries.invalidateQueries({ queryKey: keys.runs() })` covers all lists of runs and every run.
 */
export const keys = {
  info: () => ["info"] as const,
  server: () => ["server"] as const,
  runs: (...more: readonly unknown[]) => ["runs", ...more] as const,
  run: (threadId: string, runId: string) => ["runs", "one", threadId, runId] as const,
  threads: (...more: readonly unknown[]) => ["threads", ...more] as const,
  thread: (threadId: string, ...more: readonly unknown[]) => ["threads", "one", threadId, ...more] as const,
  assistants: (...more: readonly unknown[]) => ["assistants", ...more] as const,
  assistant: (assistantId: string, ...more: readonly unknown[]) => ["assistants", "one", assistantId, ...more] as const,
  crons: (...more: readonly unknown[]) => ["crons", ...more] as const,
  webhooks: (...more: readonly unknown[]) => ["webhooks", ...more] as const,
  store: (...more: readonly unknown[]) => ["store", ...more] as const,
};
