import { expect, test } from "vitest";

import { changed, oneOf } from "./url";

test("changes keep other parameters and remove empty values", () => {
  const before = new URLSearchParams("status=error&status=timeout&q=x&tab=a");
  expect(changed(before, { status: ["success"], q: "", tab: null }).toString()).toBe("status=success");
  expect(changed(before, { q: "y" }).toString()).toBe("status=error&status=timeout&tab=a&q=y");
});

test("a value that is not allowed becomes the first allowed one", () => {
  expect(oneOf(["a", "b"], "b")).toBe("b");
  expect(oneOf(["a", "b"], "zzz")).toBe("a");
});
