import { expect, it } from "vitest";

import { stateOf, withGroups } from "./states";

it("gives a subgraph the most urgent state of its nodes", () => {
  const states = withGroups({ "sub:a": { phase: "done" }, "sub:deep:b": { phase: "running" }, c: { phase: "failed" } });
  expect(stateOf(states, "sub").phase).toBe("running");
  expect(stateOf(states, "sub:deep").phase).toBe("running");
  expect(stateOf(states, "elsewhere").phase).toBe("idle");
});

it("keeps the known state of a subgraph", () => {
  const known = { sub: { phase: "interrupted", count: 2 }, "sub:a": { phase: "done" } } as const;
  expect(withGroups(known)).toBe(known);
});
