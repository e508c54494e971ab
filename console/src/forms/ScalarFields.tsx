import { useState } from "react";

import { TextArea, TextField } from "../kit";
import { useProblem } from "./context";
import { Draft, readNumber } from "./draft";
import type { ControlProps } from "./control";

/** Text of any number of lines. Emptied, an optional one is left out; what came empty stays so. */
export function TextControl({ label, hint, path, value, onChange, required, shape }: ControlProps<"text">) {
  const error = useProblem(path);
  const text = typeof value === "string" ? value : "";
  return (
    <TextArea
      {...{ label, hint: hint || undefined, error, required }}
      rows={Math.min(10, text.split("\n").length)}
      placeholder={value === undefined ? placeholderOf(shape.fallback) : "empty text"}
      style={{ resize: text.includes("\n") ? "vertical" : "none" }}
      value={text}
      onChange={(typed) => onChange(typed === "" && !required ? undefined : typed)}
    />
  );
}

/** The text as typed is kept for as long as it means the value: 1.50 does not turn to 1.5 under the cursor. */
export function NumberField({ label, hint, path, value, onChange, required, shape }: ControlProps<"number">) {
  const error = useProblem(path);
  const [typed, setTyped] = useState("");
  const text = value instanceof Draft ? value.text : typeof value === "number" ? String(value) : "";
  const shown = readNumber(typed) === value ? typed : text;
  return (
    <TextField
      {...{ label, hint: hint || undefined, error, required }}
      code
      inputMode={shape.integer ? "numeric" : "decimal"}
      placeholder={placeholderOf(shape.fallback)}
      value={shown}
      onChange={(next) => {
        setTyped(next);
        onChange(readNumber(next));
      }}
    />
  );
}

function placeholderOf(fallback: unknown): string {
  return typeof fallback === "string" || typeof fallback === "number" ? `${fallback} unless given` : "not given";
}
