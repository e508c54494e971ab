import { expect, test } from "vitest";

import { blocksOf, isShown } from "./content";
import { isMessage, messageOf } from "./message";

test("text is one block, empty text none", () => {
  expect(blocksOf("hi")).toEqual([{ kind: "text", text: "hi", sources: [] }]);
  expect(blocksOf("")).toEqual([]);
  expect(blocksOf(null)).toEqual([]);
});

test.each([
  ["LangChain", { type: "reasoning", reasoning: "so" }],
  ["Anthropic", { type: "thinking", thinking: "so", signature: "x" }],
  ["OpenAI", { type: "reasoning", summary: [{ type: "summary_text", text: "so" }] }],
])("what a model thought, as %s has it", (_, block) => {
  expect(blocksOf([block])).toEqual([{ kind: "reasoning", text: "so" }]);
});

test("thoughts beside the content come first", () => {
  expect(blocksOf("yes", { reasoning_content: "so" }).map((block) => block.kind)).toEqual(["reasoning", "text"]);
});

test.each([
  ["LangChain", { type: "image", base64: "AA==", mime_type: "image/png" }],
  ["Anthropic", { type: "image", source: { type: "base64", media_type: "image/png", data: "AA==" } }],
  ["OpenAI", { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } }],
])("a picture, as %s has it, is shown", (_, block) => {
  const [shown] = blocksOf([block]);
  expect(shown).toMatchObject({ kind: "media", media: "image", url: "data:image/png;base64,AA==" });
  expect(shown?.kind === "media" && isShown(shown)).toBe(true);
});

test("a picture that lies elsewhere is not loaded", () => {
  const [block] = blocksOf([{ type: "image", url: "https://example.org/a.png" }]);
  expect(block?.kind === "media" && isShown(block)).toBe(false);
});

test("calls in the content are shown as calls only; what we do not know is shown as it is", () => {
  expect(
    blocksOf([
      { type: "tool_use", id: "1" },
      { type: "odd", x: 1 },
    ]),
  ).toEqual([{ kind: "other", name: "odd", value: { type: "odd", x: 1 } }]);
});

test("what looks like a message", () => {
  expect(isMessage({ type: "human", content: "x" })).toBe(true);
  expect(isMessage({ role: "user", content: "x" })).toBe(true);
  expect(isMessage({ type: "AIMessageChunk", content: "" })).toBe(true);
  expect(isMessage({ type: "car", content: "x" })).toBe(false);
  expect(isMessage("x")).toBe(false);
});

test("a call whose arguments are no JSON says so", () => {
  const message = messageOf({
    type: "ai",
    content: "",
    tool_calls: [{ id: "1", name: "ok", args: { a: 1 } }],
    invalid_tool_calls: [{ id: "2", name: "bad", args: "{", error: null }],
  });
  expect(message.calls.map((call) => [call.name, call.error])).toEqual([
    ["ok", null],
    ["bad", "the arguments are not valid JSON"],
  ]);
});
