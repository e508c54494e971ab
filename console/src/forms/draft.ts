import { isRecord } from "./schema";

/**
 * Text in a value's place that does not read as a value yet: `1e` in a number, `{"a":` in JSON. It is part of the value while
 * it is edited, so that nothing typed is lost; it is never sent.
 */
export class Draft {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export function hasDrafts(value: unknown): boolean {
  if (value instanceof Draft) return true;
  if (Array.isArray(value)) return value.some(hasDrafts);
  return isRecord(value) && Object.values(value).some(hasDrafts);
}

/** The value as indented JSON, drafts as they were typed: then it is no JSON, and shows so where the draft is. */
export function written(value: unknown, indent = ""): string {
  if (value === undefined) return "";
  if (value instanceof Draft) return value.text;
  const deeper = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((each) => written(each ?? null, deeper))
    : isRecord(value)
      ? Object.entries(value)
          .filter(([, each]) => each !== undefined)
          .map(([name, each]) => `${JSON.stringify(name)}: ${written(each, deeper)}`)
      : null;
  if (lines === null) return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (lines.length === 0) return `${open}${close}`;
  return `${open}\n${deeper}${lines.join(`,\n${deeper}`)}\n${indent}${close}`;
}

/** A number as typed: a number, or a draft of one. Empty text is none. */
export function readNumber(text: string): number | Draft | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  const number = Number(trimmed);
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(trimmed) && Number.isFinite(number) ? number : new Draft(text);
}

/** JSON as typed: a value, or a draft of one. Empty text is none. */
export function readJson(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return new Draft(text);
  }
}
