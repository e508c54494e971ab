import { useEffect, useState, type ReactNode } from "react";

import { ApiError, UnreachableError, messageOf } from "../api";
import { Button } from "./Button";
import { Icon } from "./icons";
import styles from "./states.module.css";

type EmptyProps = { title: string; children?: ReactNode; actions?: ReactNode };

/** An empty state; `children` suggest the next step. */
export function Empty({ title, children, actions }: EmptyProps) {
  return (
    <div className={styles.state}>
      <h2>{title}</h2>
      {children}
      {actions !== undefined && <div className={styles.actions}>{actions}</div>}
    </div>
  );
}

type FailureProps = { error: unknown; what?: string; onRetry?: (() => unknown) | undefined; inline?: boolean };

/** The failed action ("Failed to load runs"), the error and a retry button. `inline` renders one line. */
export function Failure({ error, what = "Failed to load", onRetry, inline }: FailureProps) {
  const retry = onRetry && (
    <Button small icon="refresh" onClick={() => onRetry()}>
      Try again
    </Button>
  );
  if (inline) {
    return (
      <div className={styles.inline} role="alert">
        <Icon name="warning" />
        <span>
          {what}: {messageOf(error)}
        </span>
        {retry}
      </div>
    );
  }
  return (
    <div className={styles.state} role="alert">
      <span className={styles.bad}>
        <Icon name="warning" size={22} />
      </span>
      <h2>{what}</h2>
      <p>{messageOf(error)}</p>
      <p>{advice(error)}</p>
      {retry && <div className={styles.actions}>{retry}</div>}
    </div>
  );
}

function advice(error: unknown): string {
  if (error instanceof UnreachableError) return "Is the server running? The console reconnects automatically.";
  if (!(error instanceof ApiError)) return "";
  if (error.status === 403) return "You do not have permission for this.";
  if (error.status === 404) return "It may have been deleted.";
  return error.status >= 500 ? "See the server log for details." : "";
}

type PendingProps = { what?: string; seconds?: number; onRetry?: (() => unknown) | undefined };

/** A loading state, invisible for 150 ms. After `seconds` it reports a slow server and offers a retry. */
export function Pending({ what = "Loading", seconds = 20, onRetry }: PendingProps) {
  const [stage, setStage] = useState<"quiet" | "shown" | "late">("quiet");
  useEffect(() => {
    const shown = setTimeout(() => setStage("shown"), 150);
    const late = setTimeout(() => setStage("late"), seconds * 1000);
    return () => {
      clearTimeout(shown);
      clearTimeout(late);
    };
  }, [seconds]);
  if (stage === "quiet") return <div className={styles.state} aria-busy="true" />;
  if (stage === "late") return <Late what={what} onRetry={onRetry} />;
  return (
    <div className={styles.state} role="status">
      <span className={styles.spinner} aria-hidden="true" />
      {what}…
    </div>
  );
}

function Late({
  what,
  onRetry = () => window.location.reload(),
}: {
  what: string;
  onRetry?: (() => unknown) | undefined;
}) {
  return (
    <div className={styles.state} role="status">
      <h2>{what} is taking unusually long</h2>
      <p>The server is slow or unresponsive. Check its log and load.</p>
      <div className={styles.actions}>
        <Button icon="refresh" onClick={() => onRetry()}>
          Try again
        </Button>
      </div>
    </div>
  );
}

/** A highlighted line above other content, such as "Reconnecting…". */
export function Notice({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div className={styles.notice} role="status">
      <Icon name="info" />
      <span>{children}</span>
      {action}
    </div>
  );
}

type Query<T> = { data: T | undefined; error: unknown; refetch: () => unknown };

/** Render a query: Pending, Failure with a retry, or `children(data)`. A failed refetch keeps the old data. */
export function Loaded<T>({
  query,
  what,
  children,
}: {
  query: Query<T>;
  what: string;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  const lowercase = `${what.charAt(0).toLowerCase()}${what.slice(1)}`;
  if (query.error !== null && query.error !== undefined) {
    return <Failure error={query.error} what={`Failed to load ${lowercase}`} onRetry={query.refetch} />;
  }
  return <Pending what={`Loading ${lowercase}`} onRetry={query.refetch} />;
}
