import { useEffect, useState, type ReactNode } from "react";

import { ApiError, UnreachableError, messageOf } from "../api";
import { Button } from "./Button";
import { Icon } from "./icons";
import styles from "./states.module.css";

type EmptyProps = { title: string; children?: ReactNode; actions?: ReactNode };

/** Nothing is there: `children` say what to do about it. */
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

/** What failed ("The runs could not be loaded"), why, and a button to try again. `inline` is one line. */
export function Failure({ error, what = "This could not be loaded", onRetry, inline }: FailureProps) {
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
  if (error instanceof UnreachableError)
    return "Is the server running? The console comes back by itself when it answers.";
  if (!(error instanceof ApiError)) return "";
  if (error.status === 403) return "Whoever is signed in may not see or do this.";
  if (error.status === 404) return "It may have been deleted meanwhile.";
  return error.status >= 500 ? "The log of the server says more." : "";
}

type PendingProps = { what?: string; seconds?: number; onRetry?: (() => unknown) | undefined };

/** A wait that is not longer than `seconds`: then it says so, and offers to try again. Quick answers never show it. */
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
      <h2>{what} takes unusually long</h2>
      <p>The server answers slowly or not at all. Its log and its load say more.</p>
      <div className={styles.actions}>
        <Button icon="refresh" onClick={() => onRetry()}>
          Try again
        </Button>
      </div>
    </div>
  );
}

/** A line that stands out above other content, such as "Reconnecting…". */
export function Notice({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div className={styles.notice} role="status">
      <Icon name="info" />
      <span>{children}</span>
      {action}
    </div>
  );
}

type Asked<T> = { data: T | undefined; error: unknown; refetch: () => unknown };

/** What a query of react-query has: Pending, Failure with a retry, or `children(data)`. Old data stays over a failed refetch. */
export function Loaded<T>({
  query,
  what,
  children,
}: {
  query: Asked<T>;
  what: string;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error !== null && query.error !== undefined) {
    return <Failure error={query.error} what={`${what} could not be loaded`} onRetry={query.refetch} />;
  }
  return <Pending what={`Loading ${what.charAt(0).toLowerCase()}${what.slice(1)}`} onRetry={query.refetch} />;
}
