import { Button, TextArea, TextField } from "../kit";
import { useProblem } from "./context";
import styles from "./forms.module.css";
import { JsonField } from "./JsonField";
import { ItemTools } from "./ListField";
import { blankMessage, roleOf, ROLES, withRole, type Role } from "./messages";
import { withItem, withKey, type Path } from "./path";
import type { ControlProps } from "./control";
import { isRecord } from "./schema";
import { FieldGroup } from "./FieldGroup";

/** A conversation to begin with: who says what. An empty one offers a line for the user at once. */
export function MessagesField({ label, hint, path, value, onChange, required }: ControlProps<"messages">) {
  const error = useProblem(path);
  const given = Array.isArray(value) ? (value as unknown[]) : [];
  const items = given.length === 0 ? [blankMessage("human")] : given;
  const change = (next: unknown[]) => onChange(next.length === 0 && !required ? undefined : next);
  return (
    <FieldGroup {...{ label, hint, error, required }}>
      <ol className={styles.messages}>
        {items.map((item, index) => (
          <li key={index} className={styles.message} data-role={roleOf(item) ?? "other"}>
            <Message
              name={`${label} ${index + 1}`}
              path={[...path, index]}
              value={item}
              onChange={(next) => change(withItem(items, index, next ?? null))}
            />
            {given.length > 0 && (
              <ItemTools label={`message ${index + 1}`} index={index} items={items} onChange={change} />
            )}
          </li>
        ))}
      </ol>
      <div className={styles.line}>
        <Button small icon="plus" onClick={() => change([...given, blankMessage(nextRole(given))])}>
          Add message
        </Button>
      </div>
    </FieldGroup>
  );
}

type MessageProps = { name: string; path: Path; value: unknown; onChange: (value: unknown) => void };

function Message({ name, path, value, onChange }: MessageProps) {
  const role = roleOf(value);
  if (role === null || !isRecord(value)) return <RawMessage {...{ name, path, value, onChange }} />;
  const set = (key: string) => (next: unknown) => onChange(withKey(value, key, next));
  return (
    <div className={styles.messageBody}>
      <select
        aria-label={`Role of ${name}`}
        className={styles.role}
        value={role}
        onChange={(event) => onChange(withRole(value, event.target.value as Role))}
      >
        {ROLES.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
      <Content name={name} path={[...path, "content"]} value={value.content} onChange={set("content")} />
      {role === "tool" && (
        <ToolCallId path={[...path, "tool_call_id"]} value={value.tool_call_id} onChange={set("tool_call_id")} />
      )}
      <Extras {...{ name, path, value, onChange }} />
    </div>
  );
}

function Content({ name, path, value, onChange }: MessageProps) {
  const error = useProblem(path);
  if (typeof value === "string" || value === undefined) {
    return (
      <TextArea
        label={`Content of ${name}`}
        hideLabel
        error={error}
        rows={Math.min(14, Math.max(2, (value ?? "").split("\n").length))}
        placeholder="Say something"
        value={value ?? ""}
        onChange={onChange}
      />
    );
  }
  return <Raw label={`content of ${name}`} {...{ name, path, value, onChange }} />;
}

function ToolCallId({ path, value, onChange }: Omit<MessageProps, "name">) {
  const error = useProblem(path);
  const text = typeof value === "string" ? value : "";
  return <TextField label="tool_call_id" required code error={error} value={text} onChange={onChange} />;
}

/** What else a message holds: names, ids, tool calls. */
function Extras({ name, path, value, onChange }: MessageProps) {
  if (!isRecord(value)) return null;
  const shown = new Set(["type", "role", "content", "tool_call_id"]);
  const more = Object.keys(value).filter((key) => !shown.has(key));
  return more.map((key) => (
    <Raw
      key={key}
      label={key}
      name={name}
      path={[...path, key]}
      value={value[key]}
      onChange={(next) => onChange(withKey(value, key, next))}
    />
  ));
}

function RawMessage(props: MessageProps) {
  return <Raw label={props.name} {...props} />;
}

function Raw({ label, ...props }: MessageProps & { label: string }) {
  const shape = { kind: "json", title: "", description: "", nullable: false, fallback: undefined } as const;
  return <JsonField {...props} label={label} hint="" required={false} shape={shape} />;
}

function nextRole(given: readonly unknown[]): Role {
  return roleOf(given.at(-1)) === "human" ? "ai" : "human";
}
