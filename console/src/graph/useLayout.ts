import { useReactFlow } from "@xyflow/react";
import { useEffect, useMemo, useRef, useState } from "react";

import type { View } from "./drawing";
import { fittingDirection, layoutOf, scaleIn, type Direction } from "./layout";

/** Fit the whole graph with a bounded scale. */
export const FIT = { padding: 0.06, maxZoom: 1.1 };

/** Below this scale node names are unreadable. */
const READABLE = 0.55;
const CLOSE = { padding: 0.3, maxZoom: 0.75 };
const GLIDE_MS = 300;

/**
 * The layout in the direction with the larger text, until the user chooses one. Fits the whole graph after a layout or
 * resize. A graph too large to read is zoomed to the running nodes until the user moves it.
 */
export function useLayout(view: View, figures: boolean, running: readonly string[]) {
  const flow = useReactFlow();
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState({ width: 0, height: 0 });
  const [chosen, setDirection] = useState<Direction | null>(null);
  const [following, setFollowing] = useState(true);
  const layouts = useMemo(
    () => ({ down: layoutOf(view, "down", figures), right: layoutOf(view, "right", figures) }),
    [view, figures],
  );
  const direction = chosen ?? fittingDirection(layouts, room);
  const layout = layouts[direction];
  const close = following && scaleIn(layout, room) < READABLE ? running.join("\n") : "";

  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => {
      const { width = 0, height = 0 } = entry?.contentRect ?? {};
      setRoom((before) => (before.width === width && before.height === height ? before : { width, height }));
    });
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    const nodes = close === "" ? null : close.split("\n").map((id) => ({ id }));
    const frame = requestAnimationFrame(() => {
      void flow.fitView(nodes === null ? FIT : { ...CLOSE, nodes, duration: glide() });
    });
    return () => cancelAnimationFrame(frame);
  }, [flow, layout, room, close]);
  return { box, layout, direction, setDirection, leave: () => setFollowing(false) };
}

function glide(): number {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : GLIDE_MS;
}
