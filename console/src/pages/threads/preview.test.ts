import { describe, expect, it } from "vitest";

import { searchOf } from "./filter";
import { lineOf } from "./preview";

describe("the preview of a message", () => {
  it("joins text blocks and skips the rest", () => {
    const image = { type: "image_url", image_url: "data:…" };
    expect(lineOf([{ type: "text", text: "Look\n at" }, image, { type: "text", text: "this" }])).toBe("Look at this");
    expect(lineOf("  one\n\ntwo ")).toBe("one two");
    expect(lineOf(null)).toBe("");
  });
});

describe("the search request of the filters", () => {
  const ID = "0197c1f2-1111-7222-8333-444455556666";
  it("parses metadata and ids from the text", () => {
    expect(searchOf("", `graph_id=agent n=3 ${ID}`)).toEqual({
      body: { metadata: { graph_id: "agent", n: 3 }, ids: [ID] },
      error: null,
    });
  });
  it("reports the invalid word", () => {
    const found = searchOf("busy", "banana");
    expect(found.body).toEqual({ status: "busy" });
    expect(found.error).toContain("banana");
  });
});
