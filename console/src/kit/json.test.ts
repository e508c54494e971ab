import { expect, test } from "vitest";

import { parseJson, summary } from "./json";
import { syntaxErrorAt } from "./jsonSyntax";

test("empty text parses to undefined", () => {
  expect(parseJson("  \n")).toEqual({ ok: true, value: undefined });
});

test("a syntax error names line and column", () => {
  const parsed = parseJson('{\n  "a": 1,\n  "b": x\n}');
  expect(parsed.ok).toBe(false);
  expect(parsed.ok || parsed.message).toMatch(/unexpected "x" \(line 3, column 8\)/);
});

test("an unexpected end is a syntax error", () => {
  expect(parseJson('{"a": [1')).toEqual({ ok: false, message: "Not valid JSON: unexpected end (line 1, column 9)" });
});

test("a collapsed object lists its first keys", () => {
  expect(summary({ a: 1, b: 2, c: 3, d: 4, e: 5 }, false)).toBe("{a, b, c, d, …}");
  expect(summary({ a: 1 }, true)).toBe("{1}");
  expect(summary([1, 2], false)).toBe("[2]");
});

const VALID = ['{"a":[1,-2.5e3,"x\\n\\u00e9",true,null,{}]}', "[]", " 1 ", '"\\"\\\\"', "-0", '{"a":{"b":[[[]]]}}'];

test.each(VALID)("%s is valid", (text) => {
  JSON.parse(text);
  expect(syntaxErrorAt(text)).toBe(-1);
});

test.each([
  ["{'a':1}", 1],
  ['{"a" 1}', 5],
  ['{"a":1,}', 7],
  ["[1,]", 3],
  ["[1 2]", 3],
  ["01", 1],
  ["tru", 0],
  ['"a\nb"', 2],
  ['"\\x"', 1],
  ["{} {}", 3],
  ["", 0],
  ['{"a', 3],
])("the syntax error in %j is at %d", (text, at) => {
  expect(() => JSON.parse(text) as unknown).toThrow();
  expect(syntaxErrorAt(text)).toBe(at);
});

test("every prefix of a valid text has a syntax error exactly if it is not JSON", () => {
  for (const text of VALID) {
    for (let end = 0; end <= text.length; end += 1) {
      const part = text.slice(0, end);
      expect(syntaxErrorAt(part) === -1, part).toBe(isJson(part));
    }
  }
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
