import { expect, it } from "vitest";

import { stateOf, withGroups } from "./states";

it("gives a sub-graph the most urgent state of what is in it", () => {
  const states = withGroups({ "sub:a": { phase: "done" }, "sub:deep:b": { phase: "running" }, c: { phase: "failed" } });
  expect(stateOf(states, "sub").phase).toBe("running");
  expect(stateOf(states, "sub:deep").phase).toBe("running");
  expect(stateOf(states, "elsewhere").phase).toBe("idle");
});

it("leaves what is known of a sub-graph as it is", () => {
  const known = { sub: { phase: "interrupted", count: 2 }, "sub:a": { phase: "done" } } as const;
  expect(withGroups(known)).toBe(known);
});
