import { describe, expect, it } from "vitest";

import { asCurl, asPython, pythonOf } from "./snippets";
import { bodyOf, faultsOf, formField, newStart, tagsOf } from "./start";

const THREAD = "01a205b8-c99b-788f-ab62-e2c0571e025e";

describe("bodyOf", () => {
  it("leaves out what is as the server takes it anyway", () => {
    expect(bodyOf("agent", newStart({ n: 1 }))).toEqual({
      assistant_id: "agent",
      input: { n: 1 },
      stream_mode: ["values", "updates", "messages-tuple", "tasks", "custom"],
      stream_subgraphs: true,
      if_not_exists: "create",
    });
  });

  it("holds everything that was chosen", () => {
    const start = {
      ...newStart(undefined, THREAD),
      context: { model: "m" },
      configurable: { user: "u" },
      metadata: { k: 1 },
      recursionLimit: " 7 ",
      tags: "a, b",
      streamModes: ["debug" as const],
      streamSubgraphs: false,
      strategy: "rollback" as const,
      durability: "exit" as const,
      interruptBefore: ["*", "node"],
      interruptAfter: ["node"],
      webhook: " http://127.0.0.1/x ",
      afterSeconds: "1.5",
    };
    expect(bodyOf("agent", start)).toEqual({
      assistant_id: "agent",
      context: { model: "m" },
      config: { recursion_limit: 7, tags: ["a", "b"], configurable: { user: "u" } },
      metadata: { k: 1 },
      stream_mode: ["debug"],
      multitask_strategy: "rollback",
      durability: "exit",
      interrupt_before: "*",
      interrupt_after: ["node"],
      webhook: "http://127.0.0.1/x",
      after_seconds: 1.5,
    });
    expect(faultsOf(start)).toEqual({});
  });

  it("asks for no strategy on a thread that is new, and keeps an input of null", () => {
    expect(bodyOf("agent", { ...newStart(null), strategy: "reject" })).not.toHaveProperty("multitask_strategy");
    expect(bodyOf("agent", newStart(null))).toMatchObject({ input: null });
  });
});

it.each([
  [{ recursionLimit: "0" }, "config.recursion_limit"],
  [{ recursionLimit: "1.5" }, "config.recursion_limit"],
  [{ afterSeconds: "-1" }, "after_seconds"],
  [{ newThread: false, threadId: "" }, "thread_id"],
  [{ newThread: false, threadId: "nope" }, "thread_id"],
  [{ webhook: "example.org/hook" }, "webhook"],
  [{ streamModes: [] }, "stream_mode"],
])("says before the server does what is wrong with %j", (part, field) => {
  expect(Object.keys(faultsOf({ ...newStart({}), ...part }))).toEqual([field]);
});

it("finds the field of the form that the server speaks of", () => {
  expect(formField("config.recursion_limit")).toBe("config.recursion_limit");
  expect(formField("config.tags[2]")).toBe("config.tags");
  expect(formField("input.messages[0].role")).toBe("input");
  expect(formField("inputs")).toBe("");
});

it("reads tags as they are written", () => {
  expect(tagsOf(" a, b  c,,")).toEqual(["a", "b", "c"]);
});

describe("snippets", () => {
  const asked = {
    url: "http://127.0.0.1:2024/",
    assistantId: "agent",
    threadId: null,
    body: { assistant_id: "agent", input: { text: "it's" }, if_not_exists: "create", stream_subgraphs: true },
    header: null,
  };

  it("quote for the shell, and make a thread each time", () => {
    const text = asCurl(asked);
    expect(text).toContain('"http://127.0.0.1:2024/threads/$(uuidgen)/runs"');
    expect(text).toContain(`"text": "it'\\''s"`);
    expect(asCurl({ ...asked, threadId: THREAD, header: "x-api-key" })).toContain("-H 'x-api-key: …'");
  });

  it("are Python", () => {
    expect(asPython({ ...asked, header: "Authorization" })).toBe(
      [
        "from treadle import Client",
        "",
        'with Client("http://127.0.0.1:2024", headers={"Authorization": "…"}) as client:',
        "    thread_id = client.threads.create().thread_id",
        "    for event in client.runs.stream(",
        "        thread_id,",
        '        "agent",',
        '        input={"text": "it\'s"},',
        "        stream_subgraphs=True,",
        "    ):",
        "        print(event)",
      ].join("\n"),
    );
  });

  it("write JSON as Python does", () => {
    expect(pythonOf({ a: [null, true, false, 1.5, "x\n"], b: {} })).toBe(
      '{"a": [None, True, False, 1.5, "x\\n"], "b": {}}',
    );
    const long = { key: "x".repeat(60), list: ["y".repeat(40)] };
    expect(pythonOf(long)).toBe(`{\n    "key": "${"x".repeat(60)}",\n    "list": ["${"y".repeat(40)}"],\n}`);
  });
});
