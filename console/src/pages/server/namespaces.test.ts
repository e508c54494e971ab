import { expect, it } from "vitest";

import { withParents } from "./namespaces";

it("lists every namespace after those it lies in, once each", () => {
  const found = withParents([["users", "ada", "notes"], ["users", "bob"], ["docs"], ["users", "ada"]]);
  expect(found).toEqual([["docs"], ["users"], ["users", "ada"], ["users", "ada", "notes"], ["users", "bob"]]);
});

it("keeps apart what only looks the same when joined", () => {
  expect(withParents([["a/b"], ["a", "b"]])).toEqual([["a"], ["a", "b"], ["a/b"]]);
});
