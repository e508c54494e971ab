import { useEffect, type ReactNode } from "react";
import { Link } from "react-router";

import { classes } from "./classes";
import styles from "./layout.module.css";

type PageProps = {
  /** The heading, and the tab's title. */
  title: string;
  /** Where this is: links above it, outermost first. */
  crumbs?: readonly { label: string; to: string }[];
  /** Beside the heading: a status, an id. */
  aside?: ReactNode;
  actions?: ReactNode;
  /** The page scrolls as a whole; without it, it fills the window and its panels scroll. */
  scrolls?: boolean;
  children: ReactNode;
};

export function Page({ title, crumbs = [], aside, actions, scrolls, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · treadle`;
  }, [title]);
  return (
    <div className={classes(styles.page, scrolls && styles.scrolls)}>
      <header className={styles.header}>
        <div className={styles.title}>
          {crumbs.map((crumb) => (
            <Link key={crumb.to} to={crumb.to} className={styles.crumb}>
              {crumb.label} /
            </Link>
          ))}
          <h1>{title}</h1>
          {aside}
        </div>
        {actions !== undefined && <div className={styles.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}

/** Filters and buttons in a row that wraps. */
export function Toolbar({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div role="group" aria-label={label} className={styles.toolbar}>
      {children}
    </div>
  );
}

type PanelProps = {
  title?: ReactNode;
  actions?: ReactNode;
  /** Takes the room that is left in a column; its body scrolls. */
  fill?: boolean;
  /** No space around the content: for tables and drawings. */
  bare?: boolean;
  /** Its name for screen readers, where `title` is no plain text. */
  label?: string;
  children: ReactNode;
};

export function Panel({ title, actions, fill, bare, label, children }: PanelProps) {
  const name = label ?? (typeof title === "string" ? title : undefined);
  return (
    <section className={classes(styles.panel, fill && styles.fill)} aria-label={name}>
      {(title !== undefined || actions !== undefined) && (
        <div className={styles.panelHead}>
          {typeof title === "string" ? <h2>{title}</h2> : title}
          {actions !== undefined && <div className={styles.actions}>{actions}</div>}
        </div>
      )}
      {/* What scrolls must be reachable by keyboard, also when nothing in it is. */}
      {fill && !bare ? (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className={styles.panelBody} tabIndex={0} role="group" aria-label={name ?? "Content"}>
          {children}
        </div>
      ) : (
        <div className={classes(styles.panelBody, bare && styles.bare)}>{children}</div>
      )}
    </section>
  );
}

/** Names and values; those that are null, undefined or false are left out. */
export function Facts({ items }: { items: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className={styles.facts}>
      {items
        .filter(([, value]) => value !== null && value !== undefined && value !== false)
        .map(([name, value]) => (
          <Fact key={name} name={name} value={value} />
        ))}
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

/** Text as it is, in monospace: a traceback, a command. */
export function Code({ children }: { children: string }) {
  return <pre className={styles.code}>{children}</pre>;
}
