import { expect, test } from "vitest";

import { parseJson, summary } from "./json";

test("empty text is nothing given", () => {
  expect(parseJson("  \n")).toEqual({ ok: true, value: undefined });
});

test("an error names line and column", () => {
  const parsed = parseJson('{\n  "a": 1,\n  "b": x\n}');
  expect(parsed.ok).toBe(false);
  expect(parsed.ok || parsed.message).toMatch(/Not valid JSON/);
});

test("an end that comes too soon is an error too", () => {
  expect(parseJson('{"a": [1').ok).toBe(false);
});

test("a closed branch names its first keys", () => {
  expect(summary({ a: 1, b: 2, c: 3, d: 4, e: 5 }, false)).toBe("{a, b, c, d, …}");
  expect(summary({ a: 1 }, true)).toBe("{1}");
  expect(summary([1, 2], false)).toBe("[2]");
});
