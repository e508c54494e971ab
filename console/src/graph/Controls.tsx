import { useReactFlow } from "@xyflow/react";

import { IconButton } from "../kit/Button";
import styles from "./graph.module.css";
import type { Direction } from "./layout";
import { FIT } from "./useLayout";

type ControlsProps = {
  direction: Direction;
  onDirection: (direction: Direction) => void;
  groups: number;
  anyClosed: boolean;
  onGroups: (open: boolean) => void;
  /** Somebody wants to see it otherwise than it would be shown. */
  onZoom: () => void;
};

export function Controls({ direction, onDirection, groups, anyClosed, onGroups, onZoom }: ControlsProps) {
  const flow = useReactFlow();
  const look = (moved: Promise<boolean>) => {
    onZoom();
    void moved;
  };
  const turned = direction === "down" ? "right" : "down";
  return (
    <div className={styles.controls} role="toolbar" aria-label="View of the graph">
      <IconButton small icon="plus" label="Zoom in" onClick={() => look(flow.zoomIn())} />
      <IconButton small icon="minus" label="Zoom out" onClick={() => look(flow.zoomOut())} />
      <IconButton small icon="fit" label="Show all" onClick={() => look(flow.fitView(FIT))} />
      <IconButton
        small
        icon={turned === "right" ? "across" : "downward"}
        label={turned === "right" ? "Draw from left to right" : "Draw from top to bottom"}
        onClick={() => onDirection(turned)}
      />
      {groups > 0 && (
        <IconButton
          small
          icon={anyClosed ? "open" : "fold"}
          label={anyClosed ? "Open all sub-graphs" : "Close all sub-graphs"}
          onClick={() => onGroups(anyClosed)}
        />
      )}
    </div>
  );
}
