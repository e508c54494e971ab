import { useMemo } from "react";

import { FormContext } from "./context";
import type { SchemaFieldProps } from "./control";
import { SchemaField } from "./SchemaField";
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
const renderField = (props: SchemaFieldProps) => <SchemaField {...props} />;

/** Controls for a value of a schema. Problems stand at their places. */
export function SchemaForm({ schema, value, onChange, showMissing = false, more = NONE }: SchemaFormProps) {
  const form = useMemo(
    () => ({ root: schema, problems: [...problemsOf(value, schema, schema), ...more], showMissing, renderField }),
    [schema, value, more, showMissing],
  );
  return (
    <FormContext value={form}>
      <SchemaField name="" schema={schema} path={[]} value={value} onChange={onChange} required />
    </FormContext>
  );
}
