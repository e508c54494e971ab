import { memo, useState, type ReactNode } from "react";

import { Badge, Button, classes, copy, count, IconButton } from "../kit";
import { Blocks } from "./Blocks";
import { ToolCallView } from "./ToolCallView";
import styles from "./chat.module.css";
import { plainText, type Message, type Usage } from "./message";
import type { Transcript } from "./transcript";
import { turnsOf, type CallWithResult, type Subagent, type Turn } from "./turns";

const AT_ONCE = 60;

export type ConversationProps = {
  transcript: Transcript;
  /** A run is going: calls without a result are at work, and what streams has a caret. */
  live?: boolean;
  /** This is a subagent's: those who ask it are no people. */
  inside?: boolean;
  /** Shown in an opened tool call of which no subagent is known: a page may look for one. */
  subagentOf?: ((called: CallWithResult) => ReactNode) | undefined;
  /** What else can be done with a message: buttons beside its copy button. */
  actionsOf?: ((message: Message) => ReactNode) | undefined;
};

/** Messages with their tool calls and subagents. Of a long conversation the end, with the rest a press away. */
export function Conversation({ transcript, live = false, inside = false, subagentOf, actionsOf }: ConversationProps) {
  const turns = turnsOf(transcript);
  const [shown, setShown] = useState(AT_ONCE);
  const hidden = Math.max(turns.length - shown, 0);
  return (
    <div className={styles.conversation}>
      {hidden > 0 && (
        <Button small kind="quiet" icon="up" onClick={() => setShown(shown + AT_ONCE * 3)}>
          {count(hidden)} earlier
        </Button>
      )}
      <Turns turns={turns.slice(hidden)} inside={inside} live={live} subagentOf={subagentOf} actionsOf={actionsOf} />
    </div>
  );
}

type Given = {
  live: boolean;
  inside: boolean;
  subagentOf: ConversationProps["subagentOf"];
  actionsOf: ConversationProps["actionsOf"];
};

function Turns({ turns, ...given }: Given & { turns: readonly Turn[] }) {
  return turns.map((turn, index) => (
    <OneTurn key={turn.key} turn={turn} {...given} live={given.live && index >= turns.length - 3} />
  ));
}

function OneTurn({ turn, ...given }: Given & { turn: Turn }) {
  return (
    <>
      {turn.message !== null && <MessageView message={turn.message} calls={turn.calls} {...given} />}
      {turn.inner.map((inner) => (
        <SubagentView key={inner.namespace} of={inner} {...given} />
      ))}
    </>
  );
}

const NAMES = { human: "You", ai: "Assistant", tool: "Tool", system: "System", other: "" } as const;

const MessageView = memo(
  function MessageView({
    message,
    calls,
    live,
    inside,
    subagentOf,
    actionsOf,
  }: Given & { message: Message; calls: readonly CallWithResult[] }) {
    const label = message.name ?? (inside && message.role === "human" ? "Task" : NAMES[message.role] || message.type);
    const partial = live && message.partial;
    const text = plainText(message);
    return (
      <article className={classes(styles.message, styles[message.role])} aria-label={label} data-message={message.id}>
        <header className={styles.head}>
          <span className={styles.who}>{label}</span>
          {message.failed && <Badge tone="bad">failed</Badge>}
          {message.usage !== null && <UsageView usage={message.usage} model={message.model} />}
          <span className={styles.tools}>
            {actionsOf?.(message)}
            {text !== "" && (
              <IconButton icon="copy" label="Copy the text" small onClick={() => void copy(text, "text")} />
            )}
          </span>
        </header>
        <div className={styles.body}>
          <Blocks blocks={message.blocks} plain={message.role === "human" || message.role === "tool"} live={partial} />
          {calls.map((called, index) => (
            <ToolCallView
              key={called.call.id || index}
              called={called}
              live={live}
              inner={innerShown(called, { live, inside, subagentOf, actionsOf })}
            />
          ))}
          {message.blocks.length === 0 && calls.length === 0 && (
            <span className="muted">{partial ? "…" : "(empty)"}</span>
          )}
        </div>
      </article>
    );
  },
  // Turns are made anew with every batch of events; what is in them is the same unless it changed.
  (a, b) =>
    a.message === b.message &&
    a.live === b.live &&
    a.subagentOf === b.subagentOf &&
    a.actionsOf === b.actionsOf &&
    sameCalls(a.calls, b.calls),
);

/** Subagents are new values whenever anything was said: calls that have one are drawn again. */
function sameCalls(before: readonly CallWithResult[], after: readonly CallWithResult[]): boolean {
  if (before.length !== after.length) return false;
  return before.every((called, index) => {
    const other = after[index];
    return called.result === other?.result && called.inner === null && other.inner === null;
  });
}

function innerShown(called: CallWithResult, given: Given): ReactNode {
  if (called.inner === null) return given.subagentOf?.(called);
  return <SubagentView of={called.inner} {...given} live={given.live && called.result === null} />;
}

/** What a subagent said, set in. */
function SubagentView({ of: inner, ...given }: Given & { of: Subagent }) {
  return (
    <section className={styles.inner} aria-label={`Subagent ${inner.name}`}>
      <h4>{inner.name}</h4>
      <Turns turns={inner.turns} {...given} inside />
    </section>
  );
}

function UsageView({ usage, model }: { usage: Usage; model: string | null }) {
  const more = [
    usage.cached > 0 && `${count(usage.cached)} from the cache`,
    usage.reasoning > 0 && `${count(usage.reasoning)} for reasoning`,
    model,
  ].filter(Boolean);
  return (
    <span className={styles.usage} title={more.length > 0 ? more.join(", ") : "tokens"}>
      {count(usage.input)} in, {count(usage.output)} out
    </span>
  );
}
