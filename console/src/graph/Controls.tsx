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
  /** The user changed the zoom. */
  onZoom: () => void;
};

export function Controls({ direction, onDirection, groups, anyClosed, onGroups, onZoom }: ControlsProps) {
  const flow = useReactFlow();
  const zoom = (change: Promise<boolean>) => {
    onZoom();
    void change;
  };
  const other = direction === "down" ? "right" : "down";
  return (
    <div className={styles.controls} role="toolbar" aria-label="Graph view">
      <IconButton small icon="plus" label="Zoom in" onClick={() => zoom(flow.zoomIn())} />
      <IconButton small icon="minus" label="Zoom out" onClick={() => zoom(flow.zoomOut())} />
      <IconButton small icon="fit" label="Fit to view" onClick={() => zoom(flow.fitView(FIT))} />
      <IconButton
        small
        icon={other === "right" ? "across" : "downward"}
        label={other === "right" ? "Lay out left to right" : "Lay out top to bottom"}
        onClick={() => onDirection(other)}
      />
      {groups > 0 && (
        <IconButton
          small
          icon={anyClosed ? "open" : "fold"}
          label={anyClosed ? "Expand all subgraphs" : "Collapse all subgraphs"}
          onClick={() => onGroups(anyClosed)}
        />
      )}
    </div>
  );
}
