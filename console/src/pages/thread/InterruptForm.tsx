import type { ReactNode } from "react";

import { Markdown } from "../../chat";
import { formatJson, JsonEditor, JsonTree, Segments, Select, TextArea, TextField } from "../../kit";
import { ActionForm } from "./ActionForm";
import { answerOf, type Draft } from "./answers";
import type { AnswerKind, InterruptRequest, Pending } from "./interrupts";
import styles from "./thread.module.css";

type Errors = Readonly<Record<string, string>>;
type FormProps = {
  pending: Pending;
  draft: Draft;
  errors: Errors;
  onChange: (draft: Draft) => void;
  /** The submit button. */
  action: ReactNode;
};

/** A form for an interrupt. Switching to JSON starts with the value that the form would send. */
export function InterruptForm({ pending: { request, value }, draft, errors, onChange, action }: FormProps) {
  const raw = draft.raw !== null;
  const toRaw = () => {
    const answer = answerOf(request, draft);
    onChange({ ...draft, raw: formatJson(answer.ok ? answer.value : null) });
  };
  return (
    <div className={styles.form}>
      {raw ? (
        <>
          <JsonTree value={value} open={3} name="asked" />
          <JsonEditor
            label="Answer"
            value={draft.raw ?? ""}
            onChange={(text) => onChange({ ...draft, raw: text })}
            rows={5}
            error={errors.raw}
          />
        </>
      ) : request.kind === "review" ? (
        <Review request={request} draft={draft} errors={errors} onChange={onChange} />
      ) : (
        <Question request={request} draft={draft} error={errors.text} onChange={onChange} />
      )}
      <div className={styles.formFoot}>
        <Segments
          label="How to answer"
          options={[
            { value: "form", label: "Form" },
            { value: "raw", label: "Raw JSON" },
          ]}
          value={raw ? "raw" : "form"}
          onChange={(chosen) => (chosen === "raw" ? toRaw() : onChange({ ...draft, raw: null }))}
        />
        {action}
      </div>
    </div>
  );
}

type ReviewProps = {
  request: Extract<InterruptRequest, { kind: "review" }>;
  draft: Draft;
  errors: Errors;
  onChange: (draft: Draft) => void;
};

function Review({ request, draft, errors, onChange }: ReviewProps) {
  return request.actions.map((action, index) => {
    const entered = draft.actions[index];
    if (entered === undefined) return null;
    const mine = Object.entries(errors).flatMap(([field, text]) =>
      field.startsWith(`${index}.`) ? [[field.slice(`${index}.`.length), text] as const] : [],
    );
    return (
      <ActionForm
        key={index}
        action={action}
        draft={entered}
        errors={Object.fromEntries(mine)}
        older={request.style === "responses" || request.style === "one"}
        onChange={(next) => onChange({ ...draft, actions: draft.actions.with(index, next) })}
      />
    );
  });
}

const KINDS: readonly { value: AnswerKind; label: string }[] = [
  { value: "text", label: "Text" },
  { value: "number", label: "Number" },
  { value: "boolean", label: "Yes / no" },
  { value: "json", label: "JSON" },
];

type QuestionProps = {
  request: Extract<InterruptRequest, { kind: "question" }>;
  draft: Draft;
  error: string | undefined;
  onChange: (draft: Draft) => void;
};

function Question({ request, draft, error, onChange }: QuestionProps) {
  const kinds = request.options.length > 0 ? [{ value: "choice" as const, label: "Choice" }, ...KINDS] : KINDS;
  const set = (text: string) => onChange({ ...draft, text });
  return (
    <>
      {request.prompt !== null && <Markdown text={request.prompt} />}
      {request.details !== undefined && <JsonTree value={request.details} open={2} />}
      <Answer request={request} draft={draft} error={error} onChange={set} />
      <div>
        <Segments
          label="Kind of answer"
          options={kinds}
          value={draft.answer}
          onChange={(answer) =>
            onChange({ ...draft, answer, text: answer === "text" || draft.answer === "text" ? draft.text : "" })
          }
        />
      </div>
    </>
  );
}

function Answer({
  request,
  draft,
  error,
  onChange,
}: Omit<QuestionProps, "onChange"> & { onChange: (text: string) => void }) {
  const given = { label: "Answer", value: draft.text, onChange, error };
  if (draft.answer === "number") return <TextField {...given} inputMode="decimal" />;
  if (draft.answer === "json") return <JsonEditor {...given} rows={4} />;
  if (draft.answer === "text") return <TextArea {...given} rows={2} />;
  const options =
    draft.answer === "boolean"
      ? [
          { value: "true", label: "Yes" },
          { value: "false", label: "No" },
        ]
      : request.options.map((option, index) => ({
          value: String(index),
          label: typeof option === "string" ? option : JSON.stringify(option),
        }));
  const shown = draft.text === "" ? null : draft.text;
  return (
    <div>
      {options.length <= 4 ? (
        <Segments label="Answer" options={options} value={shown ?? ""} onChange={onChange} />
      ) : (
        <Select label="Answer" options={options} value={shown} onChange={onChange} />
      )}
      {error !== undefined && (
        <p className={styles.bad} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}
