import { describe, expect, test } from "vitest";

import { answerOf, draftOf, type Draft } from "./answers";
import { requestOf, pendingOf, type InterruptRequest } from "./interrupts";

const MAIL = { name: "send_mail", args: { to: "ada", copies: 2 }, description: "Send it?" };
const BATCH = {
  action_requests: [MAIL, { name: "delete_file", args: { path: "/x" } }],
  review_configs: [
    { action_name: "delete_file", allowed_decisions: ["approve", "reject"] },
    { action_name: "send_mail", allowed_decisions: ["approve", "edit", "reject"] },
  ],
};
const OLDER = [
  {
    action_request: { action: "send_mail", args: { to: "ada" } },
    config: { allow_accept: true, allow_edit: true, allow_respond: true, allow_ignore: false },
    description: "Send it?",
  },
];

const ask = (value: unknown, response_schema?: unknown) => requestOf({ id: "i", value, response_schema });
const review = (request: InterruptRequest) => (request.kind === "review" ? request : expect.fail("no review"));
const question = (request: InterruptRequest) => (request.kind === "question" ? request : expect.fail("no question"));

function decide(request: InterruptRequest, ...changes: Partial<Draft["actions"][number]>[]) {
  const draft = draftOf(request);
  const actions = draft.actions.map((action, index) => ({ ...action, ...changes[index] }));
  return answerOf(request, { ...draft, actions });
}

describe("LangChain's middleware", () => {
  test("needs a decision for each action, from its allowed ones", () => {
    const request = review(ask(BATCH));
    expect(request.style).toBe("decisions");
    expect(request.actions.map((action) => [action.name, action.allowed])).toEqual([
      ["send_mail", ["approve", "edit", "reject"]],
      ["delete_file", ["approve", "reject"]],
    ]);
    expect(request.actions[0]?.description).toBe("Send it?");
  });

  test("approve and reject", () => {
    expect(decide(ask(BATCH), {}, { decision: "reject", message: "no" })).toEqual({
      ok: true,
      value: { decisions: [{ type: "approve" }, { type: "reject", message: "no" }] },
    });
  });

  test("edit keeps the types of the arguments", () => {
    expect(decide(ask(BATCH), { decision: "edit", args: { to: "bob", copies: "3" } })).toEqual({
      ok: true,
      value: {
        decisions: [
          { type: "edit", edited_action: { name: "send_mail", args: { to: "bob", copies: 3 } } },
          { type: "approve" },
        ],
      },
    });
  });

  test("an invalid value is an error of its argument", () => {
    const answer = decide(ask(BATCH), { decision: "edit", args: { to: "bob", copies: "three" } });
    expect(answer.ok ? {} : Object.keys(answer.errors)).toEqual(["0.args.copies"]);
  });

  test("a response to the tool needs text", () => {
    expect(decide(ask({ action_requests: [MAIL] }), { decision: "respond" })).toEqual({
      ok: false,
      errors: { "0.message": "Say what the answer is." },
    });
  });

  test("a request for one call takes one decision that its schema allows", () => {
    const branch = (type: string) => ({ properties: { type: { const: type } } });
    const request = review(
      ask({ type: "tool_approval", tool_call_id: "1", ...MAIL }, { oneOf: [branch("approve"), branch("reject")] }),
    );
    expect(request.actions[0]?.allowed).toEqual(["approve", "reject"]);
    expect(decide(request, { decision: "reject" })).toEqual({ ok: true, value: { type: "reject" } });
  });
});

describe("the legacy format", () => {
  test("in a list is answered with a list", () => {
    const request = review(ask(OLDER));
    expect(request.actions[0]?.allowed).toEqual(["approve", "edit", "respond"]);
    expect(decide(request)).toEqual({ ok: true, value: [{ type: "accept", args: null }] });
    expect(decide(request, { decision: "respond", message: "later" })).toEqual({
      ok: true,
      value: [{ type: "response", args: "later" }],
    });
    expect(decide(request, { decision: "edit", args: { to: "bob" } })).toEqual({
      ok: true,
      value: [{ type: "edit", args: { action: "send_mail", args: { to: "bob" } } }],
    });
  });

  test("as a single object is answered with an object", () => {
    expect(decide(ask({ ...OLDER[0], config: { allow_ignore: true } }))).toEqual({
      ok: true,
      value: { type: "ignore", args: null },
    });
  });
});

describe("a question", () => {
  test("as text is answered with text", () => {
    const request = question(ask("What is your name?"));
    expect(request).toMatchObject({ prompt: "What is your name?", expects: "text" });
    expect(answerOf(request, { ...draftOf(request), text: "Ada" })).toEqual({ ok: true, value: "Ada" });
    expect(answerOf(request, draftOf(request))).toEqual({ ok: true, value: "" });
  });

  test("with options is a choice of any values", () => {
    const request = question(ask({ question: "How many?", options: [1, 2, "all"], default: 2 }));
    expect(request).toMatchObject({ prompt: "How many?", expects: "choice", initial: "1" });
    expect(answerOf(request, draftOf(request))).toEqual({ ok: true, value: 2 });
  });

  test.each([
    [{ question: "?", default: 3 }, "number", "4", 4],
    [{ question: "?", default: true }, "boolean", "false", false],
    [{ question: "?", draft: { a: 1 } }, "json", "[1]", [1]],
    [{ question: "?", default: "x" }, "text", "y", "y"],
  ])("%j expects what its default is", (payload, expects, text, value) => {
    const request = question(ask(payload));
    expect(request.expects).toBe(expects);
    expect(answerOf(request, { ...draftOf(request), text })).toEqual({ ok: true, value });
  });

  test.each([
    [{ type: "boolean" }, "boolean"],
    [{ type: "integer" }, "number"],
    [{ enum: ["a", "b"] }, "choice"],
    [{ type: "object" }, "json"],
    [null, "text"],
  ])("with the schema %j of an answer", (schema, expects) => {
    expect(question(ask("?", schema)).expects).toBe(expects);
  });

  test("without text shows its payload", () => {
    expect(question(ask({ rows: [1, 2] }))).toMatchObject({ prompt: null, details: { rows: [1, 2] } });
    expect(question(ask(null))).toMatchObject({ prompt: null, details: null });
  });

  test("reports invalid answers", () => {
    const request = ask({ question: "?", default: 3 });
    expect(answerOf(request, { ...draftOf(request), text: "many" })).toEqual({
      ok: false,
      errors: { text: "Enter a number." },
    });
  });
});

test("raw JSON answers anything", () => {
  for (const payload of [BATCH, OLDER, "?", { rows: 1 }]) {
    const request = ask(payload);
    expect(answerOf(request, { ...draftOf(request), raw: '{"a": null}' })).toEqual({ ok: true, value: { a: null } });
    expect(answerOf(request, { ...draftOf(request), raw: "{" }).ok).toBe(false);
  }
});

test("pending interrupts of all tasks are listed once", () => {
  const interrupt = (id: string) => ({ id, value: id });
  const task = (name: string, ...ids: string[]) => ({ id: name, name, interrupts: ids.map(interrupt) });
  expect(pendingOf([task("left", "a"), task("right", "b", "a")]).map((each) => [each.id, each.value])).toEqual([
    ["a", "a"],
    ["b", "b"],
  ]);
});
