import { expect, it } from "vitest";

import { withParents } from "./namespaces";

it("lists every namespace once, after its parents", () => {
  const found = withParents([["users", "ada", "notes"], ["users", "bob"], ["docs"], ["users", "ada"]]);
  expect(found).toEqual([["docs"], ["users"], ["users", "ada"], ["users", "ada", "notes"], ["users", "bob"]]);
});

it("distinguishes namespaces that are equal when joined", () => {
  expect(withParents([["a/b"], ["a", "b"]])).toEqual([["a"], ["a", "b"], ["a/b"]]);
});
