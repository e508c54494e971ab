import { useState } from "react";

import { TextArea } from "../kit";
import { useProblem } from "./context";
import { readJson, written } from "./draft";
import type { ControlProps } from "./control";

/** Any value, as JSON. The text stays as typed for as long as it means the value. */
export function JsonField({ label, hint, path, value, onChange, required }: ControlProps<"json">) {
  const error = useProblem(path, true);
  const [typed, setTyped] = useState("");
  const shown = written(readJson(typed)) === written(value) ? typed : written(value);
  return (
    <TextArea
      {...{ label, hint: hint || undefined, error, required }}
      code
      rows={Math.min(12, shown.split("\n").length)}
      placeholder="JSON; not given"
      value={shown}
      onChange={(next) => {
        setTyped(next);
        onChange(readJson(next));
      }}
    />
  );
}
