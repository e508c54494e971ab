import { useId, type InputHTMLAttributes, type ReactNode, type Ref, type TextareaHTMLAttributes } from "react";

import { classes } from "./classes";
import styles from "./field.module.css";
import { Icon } from "./icons";

export type FieldProps = {
  label: string;
  /** Show the label to screen readers only. */
  hideLabel?: boolean | undefined;
  hint?: ReactNode;
  /** The error message; announced by screen readers, and the control is marked invalid. */
  error?: string | null | undefined;
  required?: boolean | undefined;
};

/** Label, hint and error of a control. `children` gets the attributes that associate it with them. */
export function Field({ children, ...field }: FieldProps & { children: (tie: Tie) => ReactNode }) {
  const id = useId();
  const described = classes(field.hint != null && `${id}-hint`, Boolean(field.error) && `${id}-error`);
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={field.hideLabel ? "visually-hidden" : styles.label}>
        {field.label}
        {field.required && (
          <span className={styles.required} aria-hidden="true">
            {" "}
            *
          </span>
        )}
      </label>
      {children({
        id,
        className: styles.control ?? "",
        "aria-invalid": field.error ? true : undefined,
        "aria-describedby": described || undefined,
        "aria-required": field.required || undefined,
      })}
      {field.hint != null && (
        <div id={`${id}-hint`} className={styles.hint}>
          {field.hint}
        </div>
      )}
      {field.error && (
        <div id={`${id}-error`} className={styles.error} role="alert">
          {field.error}
        </div>
      )}
    </div>
  );
}

export type Tie = {
  id: string;
  className: string;
  "aria-invalid": true | undefined;
  "aria-describedby": string | undefined;
  "aria-required": true | undefined;
};

type Text = { value: string; onChange: (value: string) => void };

type TextFieldProps = FieldProps &
  Text &
  Omit<InputHTMLAttributes<HTMLInputElement>, "value" | "onChange" | "required"> & {
    code?: boolean | undefined;
    ref?: Ref<HTMLInputElement> | undefined;
  };

export function TextField({ label, hideLabel, hint, error, required, value, onChange, code, ...rest }: TextFieldProps) {
  return (
    <Field {...{ label, hideLabel, hint, error, required }}>
      {(tie) => (
        <input
          type="text"
          autoComplete="off"
          spellCheck={!code}
          {...rest}
          {...tie}
          className={classes(tie.className, code && styles.code)}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

type TextAreaProps = FieldProps &
  Text &
  Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "value" | "onChange" | "required"> & {
    code?: boolean | undefined;
    ref?: Ref<HTMLTextAreaElement> | undefined;
  };

export function TextArea({ label, hideLabel, hint, error, required, value, onChange, code, ...rest }: TextAreaProps) {
  return (
    <Field {...{ label, hideLabel, hint, error, required }}>
      {(tie) => (
        <textarea
          rows={4}
          spellCheck={!code}
          {...rest}
          {...tie}
          className={classes(tie.className, code && styles.code)}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

type CheckboxProps = Omit<InputHTMLAttributes<HTMLInputElement>, "onChange" | "type"> & {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ReactNode;
};

export function Checkbox({ checked, onChange, children, ...rest }: CheckboxProps) {
  return (
    <label className={styles.check}>
      <input {...rest} type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      <span>{children}</span>
    </label>
  );
}

type SearchProps = Text & { label: string; placeholder?: string; ref?: Ref<HTMLInputElement> | undefined };

/** The search field of a list. `/` focuses it (through `data-filter`); Escape clears it, then leaves it. */
export function SearchField({ label, value, onChange, placeholder, ref }: SearchProps) {
  return (
    <div className={styles.search}>
      <Icon name="search" size={14} />
      <input
        ref={ref}
        type="search"
        data-filter=""
        className={styles.control}
        aria-label={label}
        placeholder={placeholder ?? label}
        autoComplete="off"
        spellCheck={false}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          if (value) onChange("");
          else event.currentTarget.blur();
        }}
      />
      {!value && (
        <kbd className={styles.slash} aria-hidden="true">
          /
        </kbd>
      )}
    </div>
  );
}

type SegmentsProps<T extends string> = {
  label: string;
  options: readonly { value: T; label: string }[];
  value: T;
  onChange: (value: T) => void;
};

/** A choice of a few options, all visible. */
export function Segments<T extends string>({ label, options, value, onChange }: SegmentsProps<T>) {
  return (
    <div role="group" aria-label={label} className={styles.segments}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          className={styles.segment}
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
        >
          {option.label}
        </button>
      ))}
    </div>
  );
}
