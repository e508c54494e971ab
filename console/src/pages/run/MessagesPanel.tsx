import { useEffect, useRef } from "react";

import { Conversation } from "../../chat";
import { Empty } from "../../kit";
import styles from "./run.module.css";
import type { RunShown } from "./useRunView";

/** The messages of the run as they come; the reader who is at the end stays there. */
export function MessagesPanel({ shown }: { shown: RunShown }) {
  const { transcript } = shown.view;
  const { live } = shown.playback;
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [transcript]);
  const silent = [...transcript.scopes.values()].every((scope) => scope.messages.length === 0);
  if (silent) return <NoMessages shown={shown} />;
  return (
    <div
      ref={box}
      className={styles.scrolls}
      // A region that scrolls must be reachable by keyboard.
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      role="group"
      aria-label="Messages"
      onScroll={({ currentTarget: at }) => {
        atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 40;
      }}
    >
      <Conversation transcript={transcript} live={live && shown.feed.phase !== "ended"} />
    </div>
  );
}

function NoMessages({ shown }: { shown: RunShown }) {
  const ended = shown.feed.phase === "ended";
  return (
    <Empty title={ended ? "No messages in this run" : "No messages yet"}>
      <p>
        They come from the stream modes messages-tuple, messages, updates and values, when the graph’s state has a list
        of messages. {ended ? "Events has all that was told." : "Events has all that is told."}
      </p>
    </Empty>
  );
}
