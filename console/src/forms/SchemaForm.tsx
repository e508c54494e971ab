import { useMemo } from "react";

import { FormContext } from "./context";
import { PlaceField } from "./PlaceField";
import { problemsOf, type Problem } from "./problems";
import type { Schema } from "./schema";

type SchemaFormProps = {
  schema: Schema;
  /** With drafts while something does not read yet: look at `hasDrafts` and `problemsOf` before it is used. */
  value: unknown;
  onChange: (value: unknown) => void;
  /** Says what is missing, too: from the first try to send on. */
  showMissing?: boolean;
  /** What the server said, beside what the schema says. */
  more?: readonly Problem[];
};

const NONE: readonly Problem[] = [];

/** Controls for a value of a schema. Problems stand at their places. */
export function SchemaForm({ schema, value, onChange, showMissing = false, more = NONE }: SchemaFormProps) {
  const form = useMemo(
    () => ({ root: schema, problems: [...problemsOf(value, schema, schema), ...more], showMissing }),
    [schema, value, more, showMissing],
  );
  return (
    <FormContext value={form}>
      <PlaceField name="" schema={schema} path={[]} value={value} onChange={onChange} required />
    </FormContext>
  );
}
