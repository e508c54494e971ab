import { useCallback, useLayoutEffect, useRef } from "react";

const NEAR = 60;

/** A box that stays scrolled to its end while its content grows, unless the reader has scrolled up. */
export function useStickToBottom() {
  const scroller = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const toEnd = useCallback(() => {
    atEnd.current = true;
    const box = scroller.current;
    if (box !== null) box.scrollTop = box.scrollHeight;
  }, []);
  const grown = useCallback(() => {
    if (atEnd.current) toEnd();
  }, [toEnd]);
  const onScroll = useCallback(() => {
    const box = scroller.current;
    if (box !== null) atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
  }, []);
  useLayoutEffect(() => {
    const content = scroller.current?.firstElementChild;
    if (!content) return;
    const watch = new ResizeObserver(grown);
    watch.observe(content);
    return () => watch.disconnect();
  }, [grown]);
  return { scroller, toEnd, grown, onScroll };
}
