import type { Assistant, AssistantVersion } from "@langchain/langgraph-sdk";
import { useQuery } from "@tanstack/react-query";

import { call, client, keys, queries } from "../../api";
import type { Schema } from "../../forms";
import type { Drawing } from "../../graph";

export type { Assistant, AssistantVersion };

/** What `GET /assistants/{id}/schemas` answers; null where a type has no JSON schema. */
export type Schemas = {
  graph_id: string;
  input_schema: Schema | null;
  output_schema: Schema | null;
  state_schema: Schema | null;
  config_schema: Schema | null;
  context_schema: Schema | null;
};

/** An assistant by its id, or a graph's own by the graph's name. */
export function useAssistant(reference: string) {
  return useQuery({
    queryKey: keys.assistant(reference),
    queryFn: () => client.assistants.get(reference),
    refetchInterval: 10_000,
  });
}

export function useSchemas(assistantId: string) {
  return useQuery({
    queryKey: keys.assistant(assistantId, "schemas"),
    queryFn: async () => (await client.assistants.getSchemas(assistantId)) as unknown as Schemas,
    staleTime: 60_000,
  });
}

/** The graph with its subgraphs open. */
export function useDrawing(assistantId: string) {
  return useQuery({
    queryKey: keys.assistant(assistantId, "graph"),
    queryFn: async () => (await client.assistants.getGraph(assistantId, { xray: true })) as unknown as Drawing,
    staleTime: 60_000,
  });
}

const MOST_VERSIONS = 100;

export function useVersions(assistantId: string) {
  return useQuery({
    queryKey: keys.assistant(assistantId, "versions"),
    queryFn: () => client.assistants.getVersions(assistantId, { limit: MOST_VERSIONS }),
  });
}

/** A row of `POST /runs/search`, as far as it is shown here. */
export type RunRow = {
  run_id: string;
  thread_id: string;
  status: string;
  created_at: string;
  duration_seconds: number | null;
  started_at: string | null;
  finished_at: string | null;
};

const LATEST = 25;

export function useLatestRuns(assistantId: string) {
  const body = { assistant_id: assistantId, limit: LATEST };
  return useQuery({
    queryKey: keys.runs("list", "of", assistantId),
    queryFn: ({ signal }) => call<RunRow[]>("POST", "/runs/search", { body, signal }),
    refetchInterval: 3000,
  });
}

/** Threads that ran this assistant or its graph lately, to start another run on. */
export function useRecentThreads(graphId: string) {
  return useQuery({
    queryKey: keys.threads("recent", graphId),
    queryFn: () => client.threads.search({ metadata: { graph_id: graphId }, limit: 20, sortBy: "updated_at" }),
    staleTime: 5000,
  });
}

/** After an assistant was changed: lists, its page and what is drawn of it. */
export function assistantsChanged(): Promise<void> {
  return queries.invalidateQueries({ queryKey: keys.assistants() });
}
