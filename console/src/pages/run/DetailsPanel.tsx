import type { Run } from "@langchain/langgraph-sdk";
import type { ReactNode } from "react";
import { Link } from "react-router";

import { Badge, Code, CopyId, duration, exact, Facts, JsonTree } from "../../kit";
import type { Overview } from "./queries";
import styles from "./run.module.css";
import { statusOf } from "./status";
import type { RunShown } from "./useRunView";

type DetailsProps = { run: Run; overview: Overview | undefined; shown: RunShown };

/** What was asked for and what became of it. */
export function DetailsPanel({ run, overview, shown }: DetailsProps) {
  const kwargs = ((run as { kwargs?: unknown }).kwargs ?? {}) as Record<string, unknown>;
  const { summary, timeline } = shown.view;
  const error = summary.error ?? overview?.error ?? null;
  const metadata = (run.metadata ?? {}) as Record<string, unknown>;
  const retryOf = typeof metadata.retry_of === "string" ? metadata.retry_of : null;
  return (
    // A region that scrolls must be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={styles.scrolls} tabIndex={0} role="group" aria-label="Details">
      {error && (
        <Part title={`Error: ${error.error}`}>
          <Code>{error.message || "(no message)"}</Code>
        </Part>
      )}
      <Facts
        items={[
          ["Status", statusOf(run, shown)],
          [
            "Assistant",
            <Link key="a" to={`/assistants/${run.assistant_id}`}>
              {overview?.graph_id ?? run.assistant_id}
            </Link>,
          ],
          [
            "Thread",
            <Link key="t" to={`/threads/${run.thread_id}`}>
              {run.thread_id}
            </Link>,
          ],
          ["Run", <CopyId key="r" id={run.run_id} what="run id" full />],
          ["Retry of", retryOf && <Link to={`/threads/${run.thread_id}/runs/${retryOf}`}>{retryOf}</Link>],
          ["Created", exact(Date.parse(run.created_at))],
          ["Started", overview?.started_at ? exact(Date.parse(overview.started_at)) : null],
          ["Finished", overview?.finished_at ? exact(Date.parse(overview.finished_at)) : null],
          ["Worker", overview?.worker_id],
          ["Lost attempts", overview?.crashes ? String(overview.crashes) : null],
          ["Priority", overview && String(overview.priority) !== "0" ? String(overview.priority) : null],
          ["Concurrency key", overview?.concurrency_key],
          ["Strategy", run.multitask_strategy],
          ["Stream modes", listed(kwargs.stream_mode)],
          [
            "Tags",
            overview && overview.tags.length > 0 ? overview.tags.map((tag) => <Badge key={tag}>{tag}</Badge>) : null,
          ],
        ]}
      />
      {timeline.attempts.length > 0 && (
        <Part title="Attempts">
          <ol className={styles.attempts}>
            {timeline.attempts.map((attempt, index) => (
              <li key={attempt.attempt}>
                <span>Attempt {attempt.attempt}</span>
                <span className="muted">{exact(attempt.from)}</span>
                <span>{attempt.to === null ? "running" : duration(attempt.to - attempt.from)}</span>
                {index < timeline.attempts.length - 1 && <Badge tone="warn">cut short</Badge>}
              </li>
            ))}
          </ol>
        </Part>
      )}
      {kwargs.command != null && <Value title="Command" value={kwargs.command} />}
      <Value title="Input" value={kwargs.input ?? null} />
      <Value title="Config" value={kwargs.config ?? {}} />
      {hasFields(kwargs.context) && <Value title="Context" value={kwargs.context} />}
      <Value title="Metadata" value={metadata} />
      <Value title="Everything that was asked" value={kwargs} closed />
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={styles.part} aria-label={title}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Value({ title, value, closed }: { title: string; value: unknown; closed?: boolean }) {
  return (
    <Part title={title}>
      <JsonTree value={value} open={closed ? 0 : 2} />
    </Part>
  );
}

function listed(value: unknown): string | null {
  return Array.isArray(value) && value.length > 0 ? value.join(", ") : null;
}

function hasFields(value: unknown): boolean {
  return value !== null && typeof value === "object" && Object.keys(value).length > 0;
}
