import { describe, expect, it } from "vitest";

import { Draft, hasDrafts, readJson, readNumber, written } from "./draft";
import { blank, initial } from "./initial";
import { at, movedItem, pathText, withKey } from "./path";
import { problemsOf } from "./problems";
import { resolved, type Schema } from "./schema";
import { shapeOf } from "./shape";

const TREE: Schema = {
  $defs: {
    Node: {
      type: "object",
      title: "Node",
      properties: {
        name: { type: "string" },
        left: { anyOf: [{ $ref: "#/$defs/Node" }, { type: "null" }], default: null },
        next: { $ref: "#/$defs/Node" },
      },
      required: ["name", "next"],
    },
  },
  $ref: "#/$defs/Node",
};

/** As LangGraph writes the schema of a state with messages: a choice of classes, with a default that does not fit. */
const CHAT: Schema = {
  $defs: {
    HumanMessage: {
      title: "HumanMessage",
      type: "object",
      properties: { content: { type: "string" } },
      required: ["content"],
    },
    AIMessage: {
      title: "AIMessage",
      type: "object",
      properties: { content: { type: "string" } },
      required: ["content"],
    },
  },
  type: "object",
  properties: {
    messages: {
      default: null,
      items: { oneOf: [{ $ref: "#/$defs/AIMessage" }, { $ref: "#/$defs/HumanMessage" }] },
      title: "Messages",
      type: "array",
    },
    history: { items: { anyOf: [{ $ref: "#/$defs/AIMessage" }, { $ref: "#/$defs/HumanMessage" }] }, type: "array" },
  },
};

const ORDER: Schema = {
  type: "object",
  properties: {
    title: { type: "string", minLength: 1 },
    size: { enum: ["s", "m", "l"], default: "m" },
    amount: { type: "integer", minimum: 1, maximum: 9 },
    price: { anyOf: [{ type: "number" }, { type: "null" }], default: null },
    note: { type: ["string", "null"] },
    tags: { type: "array", items: { type: "string" }, uniqueItems: true },
    where: {
      anyOf: [{ type: "string" }, { type: "object", properties: { city: { type: "string" } }, required: ["city"] }],
    },
    limits: { type: "object", additionalProperties: { type: "number" } },
    anything: {},
    fixed: { const: "v1" },
  },
  required: ["title", "amount", "fixed"],
};

const place = (name: string) => {
  const found = shapeOf(ORDER, ORDER);
  if (found.kind !== "object") throw new Error("no object");
  return shapeOf(found.fields.find((each) => each.name === name)?.schema, ORDER, name);
};

const problemTexts = (value: unknown, schema: Schema) =>
  problemsOf(value, schema, schema).map(({ path, message }) => `${pathText(path)} ${message}`);

describe("shapeOf", () => {
  it("finds a control for each kind of value", () => {
    expect(place("title")).toMatchObject({ kind: "text", nullable: false });
    expect(place("size")).toMatchObject({ kind: "choice", options: ["s", "m", "l"], fallback: "m" });
    expect(place("amount")).toMatchObject({ kind: "number", integer: true });
    expect(place("price")).toMatchObject({ kind: "number", integer: false, nullable: true, fallback: undefined });
    expect(place("note")).toMatchObject({ kind: "text", nullable: true });
    expect(place("tags")).toMatchObject({ kind: "list", items: { type: "string" } });
    expect(place("limits")).toMatchObject({ kind: "map", values: { type: "number" } });
    expect(place("anything")).toMatchObject({ kind: "json" });
    expect(place("fixed")).toMatchObject({ kind: "choice", options: ["v1"] });
    expect(place("where")).toMatchObject({ kind: "union", options: [{ label: "string" }, { label: "object" }] });
  });

  it("takes a choice of constants as one choice", () => {
    const schema: Schema = { anyOf: [{ const: "a" }, { enum: ["b", "c"] }, { type: "null" }] };
    expect(shapeOf(schema, schema)).toMatchObject({ kind: "choice", options: ["a", "b", "c"], nullable: true });
  });

  it("knows LangChain's messages by their classes, and by the name where anything may be in the list", () => {
    expect(shapeOf(CHAT.properties?.messages, CHAT, "messages").kind).toBe("messages");
    expect(shapeOf(CHAT.properties?.history, CHAT, "history").kind).toBe("messages");
    expect(shapeOf({ type: "array", items: {} }, {}, "messages").kind).toBe("messages");
    expect(shapeOf({ type: "array", items: { type: "integer" } }, {}, "messages").kind).toBe("list");
    expect(shapeOf({ type: "array", items: {} }, {}, "other").kind).toBe("list");
  });

  it("goes on in a schema that contains itself, a level at a time", () => {
    let shape = shapeOf(TREE, TREE);
    for (let depth = 0; depth < 50; depth += 1) {
      if (shape.kind !== "object") throw new Error("no object");
      shape = shapeOf(shape.fields.find((each) => each.name === "next")?.schema, TREE);
    }
    expect(shape).toMatchObject({ kind: "object", title: "Node" });
  });

  it("allows anything where a reference leads nowhere, or to itself", () => {
    const loop: Schema = { $defs: { A: { $ref: "#/$defs/B" }, B: { $ref: "#/$defs/A" } }, $ref: "#/$defs/A" };
    expect(shapeOf(loop, loop).kind).toBe("json");
    expect(shapeOf({ $ref: "#/$defs/gone" }, {}).kind).toBe("json");
    expect(shapeOf({ $ref: "https://example.org/schema.json" }, {}).kind).toBe("json");
  });

  it("keeps what stands beside a reference, and joins allOf", () => {
    const root: Schema = { $defs: { "a/b": { type: "string", description: "there" } } };
    expect(shapeOf({ $ref: "#/$defs/a~1b", description: "here" }, root)).toMatchObject({
      kind: "text",
      description: "here",
    });
    const both: Schema = {
      allOf: [
        { type: "object", properties: { a: { type: "string" } }, required: ["a"] },
        { properties: { b: { type: "number" } }, required: ["b"] },
      ],
    };
    expect(resolved(both, both)).toMatchObject({ type: "object", required: ["a", "b"] });
    expect(shapeOf(both, both)).toMatchObject({ kind: "object", fields: [{ name: "a" }, { name: "b" }] });
  });
});

describe("initial", () => {
  it("has the defaults and what is required, and nothing else", () => {
    expect(initial(ORDER, ORDER)).toEqual({ size: "m", fixed: "v1" });
  });

  it("ends in a schema that requires itself", () => {
    const value = initial(TREE, TREE);
    expect(JSON.stringify(value).length).toBeLessThan(200);
    expect(at(value, ["next", "next"])).toEqual(expect.anything());
  });

  it("leaves out what has no more than LangGraph's null as default", () => {
    expect(initial(CHAT, CHAT)).toEqual({});
  });

  it("gives an added item a value that is seen", () => {
    const kinds: Schema[] = [
      { type: "string" },
      { type: "integer" },
      { type: "boolean" },
      { enum: [2, 1] },
      {},
      { type: "object" },
    ];
    expect(kinds.map((each) => blank(each, each))).toEqual(["", 0, false, 2, null, null]);
    expect(blank(ORDER.properties?.where, ORDER)).toBe("");
  });
});

describe("problemsOf", () => {
  it("finds nothing in what fits", () => {
    const order = {
      title: "x",
      size: "s",
      amount: 9,
      price: null,
      note: null,
      tags: ["a", "b"],
      where: { city: "Ulm", more: 1 },
      limits: { a: 1.5 },
      anything: [{}],
      fixed: "v1",
      unknown: true,
    };
    expect(problemTexts(order, ORDER)).toEqual([]);
  });

  it.each([
    [{ amount: 1, fixed: "v1" }, "title is required"],
    [{ title: "", amount: 1, fixed: "v1" }, "title must not be empty"],
    [{ title: 1, amount: 1, fixed: "v1" }, "title must be text"],
    [{ title: "x", amount: 1.5, fixed: "v1" }, "amount must be a whole number"],
    [{ title: "x", amount: 0, fixed: "v1" }, "amount must be at least 1"],
    [{ title: "x", amount: new Draft("1e"), fixed: "v1" }, "amount must be a number"],
    [{ title: "x", amount: 1, fixed: "v2" }, 'fixed must be "v1"'],
    [{ title: "x", amount: 1, fixed: "v1", size: "xl" }, 'size must be one of "s", "m", "l"'],
    [{ title: "x", amount: 1, fixed: "v1", tags: ["a", 2] }, "tags[1] must be text"],
    [{ title: "x", amount: 1, fixed: "v1", tags: ["a", "a"] }, "tags must not hold an item twice"],
    [{ title: "x", amount: 1, fixed: "v1", limits: { a: "b" } }, "limits.a must be a number"],
    [{ title: "x", amount: 1, fixed: "v1", price: "b" }, "price must be a number"],
    [{ title: "x", amount: 1, fixed: "v1", where: { city: 3 } }, "where.city must be text"],
    [{ title: "x", amount: 1, fixed: "v1", where: 3 }, "where must be text or an object"],
  ])("says what is wrong with %j", (value, message) => {
    expect(problemTexts(value, ORDER)).toEqual([message]);
  });

  it("tells what is missing from what is wrong", () => {
    expect(problemsOf({ amount: 1, fixed: "v1" }, ORDER, ORDER)).toEqual([
      { path: ["title"], message: "is required", missing: true },
    ]);
  });

  it("goes as deep as the value", () => {
    const value = { name: "a", next: { name: "b", next: { name: 1, left: null, next: {} } } };
    expect(problemTexts(value, TREE)).toEqual([
      "next.next.name must be text",
      "next.next.next.name is required",
      "next.next.next.next is required",
    ]);
  });

  it("ends where a reference leads to itself", () => {
    const loop: Schema = { $defs: { A: { anyOf: [{ $ref: "#/$defs/A" }, { type: "string" }] } }, $ref: "#/$defs/A" };
    expect(problemTexts("x", loop)).toEqual([]);
    const only: Schema = { $defs: { A: { anyOf: [{ $ref: "#/$defs/A" }] } }, $ref: "#/$defs/A" };
    expect(problemTexts("x", only)).toEqual([]);
    expect(shapeOf(only, only).kind).toBe("json");
    const lists: Schema = {
      $defs: { A: { type: "array", items: { $ref: "#/$defs/A" } } },
      anyOf: [{ $ref: "#/$defs/A" }, {}],
    };
    expect(shapeOf(lists, lists)).toMatchObject({
      options: [{ label: "list of list of array" }, { label: "anything" }],
    });
  });

  it("takes messages in every way in which the server reads them", () => {
    const fine = [
      { type: "human", content: "a" },
      { role: "user", content: [{ type: "text", text: "b" }] },
      "c",
      ["user", "d"],
    ];
    expect(problemTexts({ messages: fine }, CHAT)).toEqual([]);
    expect(problemTexts({ messages: "hello" }, CHAT)).toEqual([]);
    expect(problemTexts({ messages: null }, CHAT)).toEqual([]);
    expect(problemTexts({ messages: [7] }, CHAT)).toEqual(["messages[0] must be a message"]);
    expect(problemTexts({ messages: 7 }, CHAT)).toEqual(["messages must be a list of messages"]);
    expect(problemTexts({ messages: [{ type: "tool", content: "x" }] }, CHAT)).toEqual([
      "messages[0].tool_call_id is required",
    ]);
  });

  it("leaves patterns of another dialect to the server", () => {
    expect(problemTexts("x", { type: "string", pattern: "(?P<name>y)" })).toEqual([]);
    expect(problemTexts("x", { type: "string", pattern: "^y" })).toEqual(["must match ^y"].map((text) => ` ${text}`));
  });
});

describe("drafts", () => {
  it("hold what does not read yet", () => {
    expect(readNumber(" 1.50 ")).toBe(1.5);
    expect(readNumber("-2e3")).toBe(-2000);
    expect(readNumber("")).toBeUndefined();
    for (const text of ["1e", "abc", "0x10", "Infinity", "1,5", "--1"])
      expect(readNumber(text)).toEqual(new Draft(text));
    expect(readJson('{"a": 1}')).toEqual({ a: 1 });
    expect(readJson("{")).toEqual(new Draft("{"));
    expect(hasDrafts({ a: [{ b: new Draft("{") }] })).toBe(true);
    expect(hasDrafts({ a: [null, "", 0] })).toBe(false);
  });

  it.each([{}, [], { a: { b: [1, "x\n\uE000", null, true, [], {}] }, 'odd "key"': 1.5 }, "text", null, 7])(
    "are the only difference to JSON: %j",
    (value) => expect(written(value)).toBe(JSON.stringify(value, null, 2)),
  );

  it("are written as they were typed", () => {
    expect(written({ a: new Draft("1e"), b: undefined })).toBe('{\n  "a": 1e\n}');
    expect(written(undefined)).toBe("");
  });
});

describe("paths", () => {
  it("change a key where it stands", () => {
    expect(Object.entries(withKey({ a: 1, b: 2, c: 3 }, "b", 9) ?? {})).toEqual([
      ["a", 1],
      ["b", 9],
      ["c", 3],
    ]);
    expect(withKey({ a: 1, b: 2 }, "a", undefined)).toEqual({ b: 2 });
    expect(withKey(undefined, "a", 1)).toEqual({ a: 1 });
  });

  it("move items", () => {
    expect(movedItem(["a", "b", "c"], 0, 2)).toEqual(["b", "c", "a"]);
    expect(movedItem(["a", "b", "c"], 2, 1)).toEqual(["a", "c", "b"]);
  });

  it("see own keys only", () => {
    expect(at({}, ["constructor"])).toBeUndefined();
    expect(at([1], ["length"])).toBeUndefined();
  });
});
