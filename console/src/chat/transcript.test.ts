import { describe, expect, test } from "vitest";

import { foldTranscript, messageKeys, ROOT, transcriptOf, type Transcript, type TranscriptEvent } from "./transcript";
import { messageOf } from "./message";
import { turnsOf } from "./turns";

const human = (content: string, id: string) => ({ type: "human", content, id });
const ai = (content: string, id: string, more: object = {}) => ({ type: "ai", content, id, ...more });
const chunk = (content: string, id: string, more: object = {}) => ({ type: "AIMessageChunk", content, id, ...more });
const meta = (ns: string, more: object = {}) => ({ langgraph_checkpoint_ns: ns, ...more });
const piece = (message: object, about: object = meta("model:1"), namespace: string[] = []): TranscriptEvent => ({
  mode: "messages",
  namespace,
  data: [message, about],
});
const values = (data: object): TranscriptEvent => ({ mode: "values", namespace: [], data });
const root = (transcript: Transcript) => transcript.scopes.get(ROOT)?.messages.map(messageOf) ?? [];
const texts = (transcript: Transcript) =>
  root(transcript).map((each) =>
    each.blocks.map((block) => (block.kind === "text" ? block.text : block.kind)).join(""),
  );

test("the key of messages is found by what its values look like", () => {
  expect(messageKeys({ other: [human("a", "1")], messages: [ai("b", "2")], n: [1], none: [] })).toEqual([
    "messages",
    "other",
  ]);
  expect(messageKeys(null)).toEqual([]);
});

test("pieces of a message are put together by id, and the finished message takes their place", () => {
  const start = transcriptOf({ messages: [human("hi", "h")] });
  const said = foldTranscript(start, [piece(chunk("Hel", "a")), piece(chunk("lo", "a"))]);
  expect(texts(said)).toEqual(["hi", "Hello"]);
  expect(root(said)[1]?.partial).toBe(true);
  const whole = foldTranscript(said, [
    { mode: "updates", namespace: [], data: { model: { messages: [ai("Hello!", "a")] } } },
  ]);
  expect(texts(whole)).toEqual(["hi", "Hello!"]);
  expect(root(whole)[1]?.partial).toBe(false);
});

test("a tool call comes in pieces: its name, then its arguments", () => {
  const transcript = foldTranscript(transcriptOf({}), [
    piece(chunk("", "a", { tool_call_chunks: [{ name: "search", args: "", id: "c1", index: 0 }] })),
    piece(chunk("", "a", { tool_call_chunks: [{ name: null, args: '{"q": "lo', id: null, index: 0 }] })),
  ]);
  expect(root(transcript)[0]?.calls).toEqual([{ id: "c1", name: "search", args: '{"q": "lo', error: null }]);
  const more = foldTranscript(transcript, [piece(chunk("", "a", { tool_call_chunks: [{ args: 'om"}', index: 0 }] }))]);
  expect(root(more)[0]?.calls[0]?.args).toEqual({ q: "loom" });
});

test("blocks with an index grow where they began, and usage adds up", () => {
  const transcript = foldTranscript(transcriptOf({}), [
    piece(chunk("", "a", { content: [{ type: "thinking", thinking: "Let ", index: 0 }] })),
    piece(
      chunk("", "a", {
        content: [{ type: "thinking", thinking: "me.", index: 0 }],
        usage_metadata: { input_tokens: 2 },
      }),
    ),
    piece(chunk("", "a", { content: [{ type: "text", text: "It ", index: 1 }] })),
    piece(chunk("", "a", { content: [{ type: "text", text: "is.", index: 1 }], usage_metadata: { output_tokens: 3 } })),
  ]);
  expect(root(transcript)[0]?.blocks).toEqual([
    { kind: "reasoning", text: "Let me." },
    { kind: "text", text: "It is.", sources: [] },
  ]);
  expect(root(transcript)[0]?.usage).toMatchObject({ input: 2, output: 3 });
});

test("the accumulated form replaces what was there", () => {
  const partial = (content: string): TranscriptEvent => ({
    mode: "messages/partial",
    namespace: [],
    data: [ai(content, "a")],
  });
  expect(texts(foldTranscript(transcriptOf({}), [partial("He"), partial("Hello")]))).toEqual(["Hello"]);
});

test("a state replaces the conversation and keeps what is the same", () => {
  const before = foldTranscript(transcriptOf({ messages: [human("hi", "h")] }), [piece(chunk("aside", "x"))]);
  const after = foldTranscript(before, [values({ messages: [human("hi", "h"), ai("yes", "a")] })]);
  expect(texts(after)).toEqual(["hi", "yes"]);
  expect(root(after)[0]).toBe(root(before)[0]);
});

test("messages are removed, one or all", () => {
  const start = transcriptOf({ messages: [human("a", "1"), human("b", "2"), human("c", "3")] });
  const remove = (id: string): TranscriptEvent => ({
    mode: "updates",
    namespace: [],
    data: { trim: { messages: [{ type: "remove", content: "", id }] } },
  });
  expect(texts(foldTranscript(start, [remove("2")]))).toEqual(["a", "c"]);
  expect(texts(foldTranscript(start, [remove("__remove_all__")]))).toEqual([]);
});

test("a second attempt says anew what the first was in the middle of", () => {
  const transcript = foldTranscript(transcriptOf({ messages: [human("hi", "h")] }), [
    piece(chunk("Hel", "a")),
    { mode: "metadata", namespace: [], data: { run_id: "r", attempt: 2 } },
  ]);
  expect(texts(transcript)).toEqual(["hi"]);
});

const TEAM: TranscriptEvent[] = [
  values({ messages: [human("hi", "h")] }),
  piece(
    chunk("I ask.", "a", { tool_call_chunks: [{ name: "research", args: "{}", id: "c1", index: 0 }] }),
    meta("model:1"),
  ),
  {
    mode: "tasks",
    namespace: [],
    data: { id: "t1", name: "tools", input: [{ type: "tool_call", id: "c1", name: "research", args: {} }] },
  },
  piece(chunk("Look", "b"), meta("tools:t1|model:2", { lc_agent_name: "researcher" }), ["tools:t1"]),
  piece(chunk("ing", "b"), meta("tools:t1|model:2", { lc_agent_name: "researcher" }), ["tools:t1"]),
  {
    mode: "updates",
    namespace: [],
    data: { tools: { messages: [{ type: "tool", content: "found", id: "t", tool_call_id: "c1" }] } },
  },
  piece(chunk("Done", "d"), meta("model:3")),
];

describe("turns", () => {
  test("a result is folded into its call, and the subagent that worked on it too", () => {
    const turns = turnsOf(foldTranscript(transcriptOf({}), TEAM));
    expect(turns.map((turn) => turn.message?.id)).toEqual(["h", "a", "d"]);
    const called = turns[1]?.calls[0];
    expect(called?.result?.id).toBe("t");
    expect(called?.inner?.name).toBe("researcher");
    expect(called?.inner?.turns[0]?.message?.blocks).toEqual([{ kind: "text", text: "Looking", sources: [] }]);
  });

  test("a subgraph without a call speaks after what was said before it", () => {
    const transcript = foldTranscript(transcriptOf({ messages: [human("hi", "h")] }), [
      piece(chunk("inside", "i"), meta("writer:t|model:2"), ["writer:t"]),
      piece(chunk("outside", "o"), meta("model:3")),
    ]);
    const turns = turnsOf(transcript);
    expect(turns[0]?.inner.map((inner) => inner.name)).toEqual(["writer"]);
    expect(turns[1]?.message?.id).toBe("o");
  });

  test("a subgraph whose messages the graph took over is not told twice", () => {
    const transcript = foldTranscript(transcriptOf({}), [
      piece(chunk("same", "s"), meta("writer:t|model:2"), ["writer:t"]),
      values({ messages: [ai("same", "s")] }),
    ]);
    expect(turnsOf(transcript)).toMatchObject([{ message: { id: "s" }, inner: [] }]);
  });

  test("a result without its call stands alone", () => {
    const transcript = transcriptOf({ messages: [{ type: "tool", content: "lost", id: "t", tool_call_id: "gone" }] });
    expect(turnsOf(transcript)).toMatchObject([{ message: { role: "tool" } }]);
  });
});

test("any split of the events into batches gives the same conversation", () => {
  const whole = turnsOf(foldTranscript(transcriptOf({}), TEAM));
  for (let cut = 0; cut <= TEAM.length; cut++) {
    const parts = foldTranscript(foldTranscript(transcriptOf({}), TEAM.slice(0, cut)), TEAM.slice(cut));
    expect(turnsOf(parts)).toEqual(whole);
  }
  const single = TEAM.reduce((transcript, event) => foldTranscript(transcript, [event]), transcriptOf({}));
  expect(turnsOf(single)).toEqual(whole);
});

test("folding leaves the conversation before as it was", () => {
  const before = foldTranscript(transcriptOf({}), TEAM.slice(0, 3));
  const copy = JSON.stringify([...before.scopes]);
  foldTranscript(before, TEAM.slice(3));
  expect(JSON.stringify([...before.scopes])).toBe(copy);
});
