import { useEffect, type ReactNode } from "react";
import { Link } from "react-router";

import { classes } from "./classes";
import styles from "./layout.module.css";

type PageProps = {
  /** The heading and the title of the browser tab. */
  title: string;
  /** Links to the parent pages, outermost first. */
  crumbs?: readonly { label: string; to: string }[];
  /** Content next to the heading: a status, an id. */
  aside?: ReactNode;
  actions?: ReactNode;
  /** Scroll the whole page. Otherwise it fills the window and its panels scroll. */
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

/** A wrapping row of filters and buttons. */
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
  /** Take the remaining height of a column; the body scrolls. */
  fill?: boolean;
  /** No padding, for tables and drawings. */
  bare?: boolean;
  /** The name for screen readers if `title` is not text. */
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
      {/* Scrollable regions must be reachable by keyboard, even without focusable content. */}
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

/** A list of names and values. Skips null, undefined and false. */
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

/** Preformatted text: a traceback, a command. */
export function Code({ children }: { children: string }) {
  return <pre className={styles.code}>{children}</pre>;
}
