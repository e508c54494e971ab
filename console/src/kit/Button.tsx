import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { Link, type LinkProps } from "react-router";

import styles from "./button.module.css";
import { Icon, type IconName } from "./icons";
import { classes } from "./classes";

type Look = {
  /** `primary` once per view, `danger` for irreversible actions, `quiet` in rows and toolbars. */
  kind?: "normal" | "primary" | "danger" | "quiet" | undefined;
  small?: boolean | undefined;
  icon?: IconName | undefined;
};

type ButtonProps = Look &
  Omit<ButtonHTMLAttributes<HTMLButtonElement>, "disabled"> & {
    ref?: Ref<HTMLButtonElement> | undefined;
    /** The action is running; the button cannot be clicked. */
    busy?: boolean | undefined;
    disabled?: boolean | undefined;
    /** The tooltip while disabled. */
    why?: string | undefined;
  };

/** A button with text. It stays focusable while disabled so that screen readers reach `why`. */
export function Button({ kind, small, icon, busy, disabled, why, children, className, onClick, ...rest }: ButtonProps) {
  const off = disabled === true || busy === true;
  return (
    <button
      type="button"
      {...rest}
      className={classes(look({ kind, small }), className)}
      aria-disabled={off || undefined}
      aria-busy={busy || undefined}
      title={off ? (why ?? rest.title) : rest.title}
      onClick={off ? (event) => event.preventDefault() : onClick}
    >
      {icon && <Icon name={icon} size={14} />}
      {children}
    </button>
  );
}

type IconButtonProps = Omit<ButtonProps, "children" | "icon"> & { icon: IconName; label: string };

/** An icon button; `label` is its accessible name and tooltip. */
export function IconButton({ icon, label, kind = "quiet", small, className, ...rest }: IconButtonProps) {
  return (
    <Button
      {...rest}
      kind={kind}
      small={small}
      aria-label={label}
      title={label}
      className={classes(styles.icon, className)}
    >
      <Icon name={icon} size={small ? 14 : 16} />
    </Button>
  );
}

/** A router link that looks like a button. */
export function ButtonLink({
  kind,
  small,
  icon,
  children,
  className,
  ...rest
}: Look & LinkProps & { children: ReactNode }) {
  return (
    <Link {...rest} className={classes(look({ kind, small }), className)}>
      {icon && <Icon name={icon} size={14} />}
      {children}
    </Link>
  );
}

function look({ kind = "normal", small }: Look): string {
  return classes(styles.button, kind !== "normal" && styles[kind], small && styles.small);
}
