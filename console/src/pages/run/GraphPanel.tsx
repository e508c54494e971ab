import { GraphView, type NodeStates } from "../../graph";
import { Loaded } from "../../kit";
import { useDrawing } from "./queries";

type GraphProps = {
  assistantId: string;
  states: NodeStates;
  selected: string | null;
  onSelect: (id: string | null) => void;
};

/** The assistant's graph with what the run has done in it. */
export function GraphPanel({ assistantId, states, selected, onSelect }: GraphProps) {
  const drawing = useDrawing(assistantId);
  return (
    <Loaded query={drawing} what="The graph">
      {(graph) => (
        <GraphView graph={graph} states={states} selected={selected} onSelect={onSelect} label="Graph of the run" />
      )}
    </Loaded>
  );
}
