import { Button } from "./Button";
import { TextArea, type FieldProps } from "./Field";
import { formatJson, parseJson } from "./json";
import styles from "./json.module.css";

type JsonEditorProps = FieldProps & {
  /** The text as typed; `parseJson` of ./json reads it. Keep the text, so that a typing error loses nothing. */
  value: string;
  onChange: (text: string) => void;
  rows?: number;
};

/** JSON as text, with what is wrong said at the field while typing, and a button that formats it. */
export function JsonEditor({ value, onChange, rows = 6, error, ...field }: JsonEditorProps) {
  const parsed = parseJson(value);
  const wrong = parsed.ok ? null : parsed.message;
  const formatted = parsed.ok ? formatJson(parsed.value) : value;
  return (
    <div className={styles.editor}>
      <TextArea {...field} code rows={rows} value={value} onChange={onChange} error={wrong ?? error} />
      {formatted !== value && wrong === null && (
        <div className={styles.bar}>
          <Button small kind="quiet" onClick={() => onChange(formatted)}>
            Format
          </Button>
        </div>
      )}
    </div>
  );
}
