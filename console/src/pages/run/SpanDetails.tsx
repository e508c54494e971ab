import { lengthOf, type Span } from "../../events";
import { clock, Code, count, duration, Facts, IconButton, JsonTree, Panel, StatusBadge } from "../../kit";
import styles from "./run.module.css";

type SpanProps = { span: Span; spans: readonly Span[]; now: number; onSelect: (span: Span | null) => void };

const SHOWN_STATUS: Record<Span["status"], string> = {
  running: "running",
  done: "success",
  failed: "error",
  interrupted: "interrupted",
  lost: "rolled_back",
};

/** One node, tool or model at work: what it was given, what it gave, what went wrong. */
export function SpanDetails({ span, spans, now, onSelect }: SpanProps) {
  const same = spans.filter((each) => each.kind === span.kind && each.path.join() === span.path.join());
  const place = same.indexOf(span);
  const [before, after] = [same[place - 1], same[place + 1]];
  return (
    <div className={styles.span}>
      <Panel
        fill
        label={`Selected: ${span.name}`}
        title={
          <div className={styles.spanTitle}>
            <h2>{span.path.join(" › ")}</h2>
            {span.status === "lost" ? (
              <span className="muted">lost with its attempt</span>
            ) : (
              <StatusBadge status={SHOWN_STATUS[span.status]} />
            )}
            <span>{duration(lengthOf(span, now))}</span>
          </div>
        }
        actions={
          <>
            {same.length > 1 && (
              <>
                <span className="muted">
                  {count(place + 1)} of {count(same.length)}
                </span>
                <IconButton
                  small
                  icon="left"
                  label="The time before"
                  disabled={!before}
                  onClick={() => before && onSelect(before)}
                />
                <IconButton
                  small
                  icon="right"
                  label="The time after"
                  disabled={!after}
                  onClick={() => after && onSelect(after)}
                />
              </>
            )}
            <IconButton small icon="close" label="Close" onClick={() => onSelect(null)} />
          </>
        }
      >
        <div className={styles.spanBody}>
          {span.error && <Code>{`${span.error.error}: ${span.error.message}`}</Code>}
          <Facts
            items={[
              ["Began", `${clock(span.from)}${span.guessed ? " (about: the log does not say)" : ""}`],
              ["Ended", span.to === null ? null : clock(span.to)],
              ["Step", span.step === null ? null : String(span.step)],
              ["Attempt", span.attempt > 1 ? String(span.attempt) : null],
              ["Tries", span.tries.length > 1 ? `${span.tries.length}, at ${span.tries.map(clock).join(", ")}` : null],
            ]}
          />
          {span.interrupts.length > 0 && <JsonTree name="interrupts" value={span.interrupts} open={3} />}
          {span.input !== undefined && <JsonTree name="input" value={span.input} open={1} />}
          {span.output !== undefined && span.output !== null && <JsonTree name="output" value={span.output} open={2} />}
        </div>
      </Panel>
    </div>
  );
}
