import { describe, expect, it } from "vitest";

import { searchOf, type Filter } from "./filter";

const NOW = Date.parse("2026-11-22T12:34:56Z");
const NONE: Filter = { statuses: [], assistant: "", text: "", since: "", sort: "", descending: true };
const THREAD = "0197c1f2-1111-7222-8333-444455556666";

const body = (text: string) => searchOf({ ...NONE, text }, NOW).body;
const error = (text: string) => searchOf({ ...NONE, text }, NOW).error;

describe("the search request of the filters", () => {
  it("requests the newest runs when no filter is set", () => {
    expect(searchOf(NONE, NOW)).toEqual({ body: { sort_by: "created_at", sort_order: "desc" }, error: null });
  });

  it("parses tags, metadata and ids from the text", () => {
    expect(body("tag:nightly tag:eu customer=42 name=ada")).toMatchObject({
      tags: ["nightly", "eu"],
      metadata: { customer: 42, name: "ada" },
    });
    expect(body(`run:${THREAD}`)).toMatchObject({ ids: [THREAD] });
    expect(body(THREAD.toUpperCase())).toMatchObject({ thread_id: THREAD });
  });

  it("parses numbers, booleans and null, and quoted values as text", () => {
    expect(body('a=true b=null c=-1.5 d="42" e=').metadata).toEqual({ a: true, b: null, c: -1.5, d: "42", e: "" });
  });

  it("reports the invalid word and searches with the others", () => {
    expect(error("tag:a banana")).toContain("banana");
    expect(error("thread:12")).toContain("whole id");
    expect(body("tag:a banana").tags).toEqual(["a"]);
  });

  it("rounds the start time to minutes, so that polling repeats the same request", () => {
    const at = (now: number) => searchOf({ ...NONE, since: "1h" }, now).body.created_after;
    expect(at(NOW)).toBe("2026-11-22T11:34:00.000Z");
    expect(at(NOW + 2000)).toBe(at(NOW));
  });
});
