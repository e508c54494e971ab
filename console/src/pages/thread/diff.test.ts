import { describe, expect, test } from "vitest";

import { diffOf, pathText, type Change } from "./diff";
import { updateOf } from "./edit";

const changeTexts = (changes: Change[]) => changes.map((change) => `${change.kind} ${pathText(change.path)}`);

describe("a diff", () => {
  test("of equal values is empty", () => {
    expect(diffOf({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toEqual([]);
  });

  test("lists added, removed and changed keys", () => {
    expect(diffOf({ a: 1, b: 2, c: { d: 3 } }, { b: 2, c: { d: 4 }, e: 5 })).toEqual([
      { kind: "removed", path: ["a"], before: 1 },
      { kind: "changed", path: ["c", "d"], before: 3, after: 4 },
      { kind: "added", path: ["e"], after: 5 },
    ]);
  });

  test("distinguishes null from missing, and types from each other", () => {
    expect(changeTexts(diffOf({ a: null }, {}))).toEqual(["removed a"]);
    expect(changeTexts(diffOf({ a: [1] }, { a: { 0: 1 } }))).toEqual(["changed a"]);
  });

  test("matches messages by id, regardless of position", () => {
    const before = {
      messages: [
        { id: "1", content: "a" },
        { id: "2", content: "b" },
        { id: "3", content: "c" },
      ],
    };
    const after = {
      messages: [
        { id: "2", content: "b!" },
        { id: "3", content: "c" },
        { id: "4", content: "d" },
      ],
    };
    expect(changeTexts(diffOf(before, after))).toEqual([
      "removed messages › 1",
      "changed messages › 2 › content",
      "added messages › 4",
    ]);
  });

  test("of a long list with appended items has only those", () => {
    const long = Array.from({ length: 5000 }, (_, n) => n);
    expect(diffOf({ log: long }, { log: [...long, "end"] })).toEqual([
      { kind: "added", path: ["log", 5000], after: "end" },
    ]);
    expect(changeTexts(diffOf([1, 2, 3, 4], [1, 9, 3, 4]))).toEqual(["changed 1"]);
    expect(changeTexts(diffOf([1, 2, 3], [1, 3]))).toEqual(["removed 1"]);
  });
});

describe("the update of an edited state", () => {
  test("has the keys that changed", () => {
    expect(updateOf({ a: 1, b: [1, 2] }, { a: 2, b: [1, 2] })).toEqual({ a: 2 });
  });

  test("has the changed, added and removed messages", () => {
    const [one, two, three] = ["1", "2", "3"].map((id) => ({ type: "human", content: id, id }));
    const changed = { ...two, content: "two" };
    expect(
      updateOf({ messages: [one, two, three] }, { messages: [one, changed, { type: "ai", content: "new" }] }),
    ).toEqual({
      messages: [{ type: "remove", content: "", id: "3" }, changed, { type: "ai", content: "new" }],
    });
  });

  test("sets deleted keys to null", () => {
    expect(updateOf({ a: 1 }, {})).toEqual({ a: null });
  });
});
