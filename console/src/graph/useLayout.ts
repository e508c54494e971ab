import { useReactFlow } from "@xyflow/react";
import { useEffect, useMemo, useRef, useState } from "react";

import type { View } from "./drawing";
import { fittingDirection, layoutOf, type Direction } from "./layout";

/** All of it, but not larger than it is worth. */
export const FIT = { padding: 0.06, maxZoom: 1.1 };

/**
 * The layout in the direction in which more can be read in the room there is, until somebody chooses one. The whole graph is
 * brought into sight when it is laid out anew or its box changes.
 */
export function useLayout(view: View, figures: boolean) {
  const flow = useReactFlow();
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState({ width: 0, height: 0 });
  const [chosen, setDirection] = useState<Direction | null>(null);
  const layouts = useMemo(
    () => ({ down: layoutOf(view, "down", figures), right: layoutOf(view, "right", figures) }),
    [view, figures],
  );
  const direction = chosen ?? fittingDirection(layouts, room);
  const layout = layouts[direction];
  useEffect(() => {
    const fit = () => void flow.fitView(FIT);
    const frame = requestAnimationFrame(fit);
    const watch = new ResizeObserver(([entry]) => {
      const { width = 0, height = 0 } = entry?.contentRect ?? {};
      setRoom((before) => (before.width === width && before.height === height ? before : { width, height }));
      fit();
    });
    if (box.current) watch.observe(box.current);
    return () => {
      cancelAnimationFrame(frame);
      watch.disconnect();
    };
  }, [flow, layout]);
  return { box, layout, direction, setDirection };
}
