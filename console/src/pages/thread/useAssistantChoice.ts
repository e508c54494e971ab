import { useState } from "react";

import { useAssistants } from "./data";
import type { RunRow, ThreadHead } from "./types";

export type AssistantChoice = { id: string | null; graphId: string | null; choose: (id: string) => void };

/** The assistant for the next run: the selected one, or else the latest run's, or else the thread's. */
export function useAssistantChoice(head: ThreadHead, runs: readonly RunRow[]): AssistantChoice {
  const [chosen, choose] = useState<string | null>(null);
  const assistants = useAssistants();
  const onChange = typeof head.metadata.assistant_id === "string" ? head.metadata.assistant_id : null;
  const graphId = typeof head.metadata.graph_id === "string" ? head.metadata.graph_id : (runs[0]?.graph_id ?? null);
  const only = assistants.data?.length === 1 ? assistants.data[0]?.assistant_id : undefined;
  const byGraph = assistants.data?.find((each) => each.graph_id === graphId)?.assistant_id;
  return { id: chosen ?? runs[0]?.assistant_id ?? onChange ?? byGraph ?? only ?? null, graphId, choose };
}
