import { expect, test } from "vitest";

import { changed, oneOf } from "./url";

test("changes leave other names alone, and empty values go away", () => {
  const before = new URLSearchParams("status=error&status=timeout&q=x&tab=a");
  expect(changed(before, { status: ["success"], q: "", tab: null }).toString()).toBe("status=success");
  expect(changed(before, { q: "y" }).toString()).toBe("status=error&status=timeout&tab=a&q=y");
});

test("what is not allowed is the first of what is", () => {
  expect(oneOf(["a", "b"], "b")).toBe("b");
  expect(oneOf(["a", "b"], "zzz")).toBe("a");
});
