import { describe, expect, it } from "vitest";

import { searchOf } from "./filter";
import { lineOf } from "./preview";

describe("the line of a message", () => {
  it("joins what is text and leaves out the rest", () => {
    const image = { type: "image_url", image_url: "data:…" };
    expect(lineOf([{ type: "text", text: "Look\n at" }, image, { type: "text", text: "this" }])).toBe("Look at this");
    expect(lineOf("  one\n\ntwo ")).toBe("one two");
    expect(lineOf(null)).toBe("");
  });
});

describe("what the filters ask of the server", () => {
  const ID = "0197c1f2-1111-7222-8333-444455556666";
  it("takes metadata and ids from the text", () => {
    expect(searchOf("", `graph_id=agent n=3 ${ID}`)).toEqual({
      body: { metadata: { graph_id: "agent", n: 3 }, ids: [ID] },
      error: null,
    });
  });
  it("says which word it does not understand", () => {
    const found = searchOf("busy", "banana");
    expect(found.body).toEqual({ status: "busy" });
    expect(found.error).toContain("banana");
  });
});
