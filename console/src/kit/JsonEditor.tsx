import { Button } from "./Button";
import { TextArea, type FieldProps } from "./Field";
import { formatJson, parseJson } from "./json";
import styles from "./json.module.css";

type JsonEditorProps = FieldProps & {
  /** The raw text; read it with `parseJson`. Keep the text rather than the value so that syntax errors lose nothing. */
  value: string;
  onChange: (text: string) => void;
  rows?: number;
};

/** A JSON text field with syntax errors while typing and a Format button. */
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
