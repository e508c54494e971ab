import { describe, expect, it } from "vitest";

import { searchOf, type Filter } from "./filter";

const NOW = Date.parse("2026-11-22T12:34:56Z");
const NONE: Filter = { statuses: [], assistant: "", text: "", since: "", sort: "", descending: true };
const THREAD = "0197c1f2-1111-7222-8333-444455556666";

const body = (text: string) => searchOf({ ...NONE, text }, NOW).body;
const error = (text: string) => searchOf({ ...NONE, text }, NOW).error;

describe("what the filters ask of the server", () => {
  it("asks for the newest of all when nothing is chosen", () => {
    expect(searchOf(NONE, NOW)).toEqual({ body: { sort_by: "created_at", sort_order: "desc" }, error: null });
  });

  it("takes tags, metadata and ids from the text", () => {
    expect(body("tag:nightly tag:eu customer=42 name=ada")).toMatchObject({
      tags: ["nightly", "eu"],
      metadata: { customer: 42, name: "ada" },
    });
    expect(body(`run:${THREAD}`)).toMatchObject({ ids: [THREAD] });
    expect(body(THREAD.toUpperCase())).toMatchObject({ thread_id: THREAD });
  });

  it("reads numbers, truth and null as such, and quoted ones as text", () => {
    expect(body('a=true b=null c=-1.5 d="42" e=').metadata).toEqual({ a: true, b: null, c: -1.5, d: "42", e: "" });
  });

  it("says which word it does not understand, and searches with the others", () => {
    expect(error("tag:a banana")).toContain("banana");
    expect(error("thread:12")).toContain("whole id");
    expect(body("tag:a banana").tags).toEqual(["a"]);
  });

  it("asks from a whole minute on, so that polling asks the same again", () => {
    const at = (now: number) => searchOf({ ...NONE, since: "1h" }, now).body.created_after;
    expect(at(NOW)).toBe("2026-11-22T11:34:00.000Z");
    expect(at(NOW + 2000)).toBe(at(NOW));
  });
});
