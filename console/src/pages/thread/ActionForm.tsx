import { Icon, JsonEditor, JsonTree, Segments, TextArea } from "../../kit";
import type { ActionDraft } from "./answers";
import type { Action, Decision } from "./interrupts";
import styles from "./thread.module.css";

type ActionFormProps = {
  action: Action;
  draft: ActionDraft;
  errors: Readonly<Record<string, string>>;
  /** The legacy payload format, which has no field for the reason of a rejection. */
  older: boolean;
  onChange: (draft: ActionDraft) => void;
};

const LABELS: Record<Decision, string> = {
  approve: "Approve",
  edit: "Edit",
  respond: "Respond",
  reject: "Reject",
  ignore: "Ignore",
};

/** An action that an agent requests, and the user's decision. */
export function ActionForm({ action, draft, errors, older, onChange }: ActionFormProps) {
  const { decision } = draft;
  return (
    <fieldset className={styles.action}>
      <legend>
        <Icon name="tool" size={14} />
        <code>{action.name}</code>
      </legend>
      {action.description !== null && <p className={styles.description}>{action.description}</p>}
      <div>
        <Segments
          label={`Decision on ${action.name}`}
          options={action.allowed.map((value) => ({ value, label: LABELS[value] }))}
          value={decision}
          onChange={(next) => onChange({ ...draft, decision: next })}
        />
      </div>
      {decision === "edit" ? (
        <Arguments action={action} draft={draft} errors={errors} onChange={onChange} />
      ) : (
        <JsonTree value={action.args} open={2} name="arguments" />
      )}
      {(decision === "respond" || (decision === "reject" && !older)) && (
        <TextArea
          label={decision === "respond" ? "Answer in place of the tool" : "Reason"}
          hint={
            decision === "respond"
              ? "The tool is not called; the model reads this as its result."
              : "The model reads it; it may be left out."
          }
          rows={2}
          required={decision === "respond"}
          value={draft.message}
          error={errors.message}
          onChange={(message) => onChange({ ...draft, message })}
        />
      )}
    </fieldset>
  );
}

function Arguments({ action, draft, errors, onChange }: Omit<ActionFormProps, "older">) {
  const set = (name: string, text: string) => onChange({ ...draft, args: { ...draft.args, [name]: text } });
  return Object.entries(draft.args).map(([name, text]) => {
    const given = {
      label: name,
      value: text,
      onChange: (next: string) => set(name, next),
      error: errors[`args.${name}`],
    };
    const lines = Math.min(Math.max(text.split("\n").length, 1), 12);
    return typeof action.args[name] === "string" ? (
      <TextArea key={name} {...given} rows={lines} />
    ) : (
      <JsonEditor key={name} {...given} rows={lines} />
    );
  });
}
