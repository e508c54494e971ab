import type { LoggedEvent } from "./event";

type Said = readonly [event: string, data: unknown, afterMs?: number];

/** A log as a feed would give it: numbered from 1, each event some milliseconds after the one before. */
export function logOf(said: readonly Said[], from = 1_000_000): LoggedEvent[] {
  let at = from;
  return said.map(([event, data, afterMs = 10], index) => {
    at += index === 0 ? 0 : afterMs;
    const [mode = "", ...namespace] = event.split("|");
    return { seq: index + 1, at, event, mode, namespace, data };
  });
}

export const begun = (attempt = 1): Said => ["metadata", { run_id: "r", attempt }];
export const ended = (status = "success"): Said => ["end", { run_id: "r", status }];

export const taskBegins = (name: string, id: string, ns = ""): Said => [
  `tasks${ns}`,
  { id, name, input: { n: 1 }, triggers: [] },
];

export const taskEnds = (name: string, id: string, more: object = {}, ns = ""): Said => [
  `tasks${ns}`,
  { id, name, error: null, result: { n: 2 }, interrupts: [], ...more },
  50,
];

export const planned = (tasks: readonly [name: string, id: string][], step: number, values: object = {}): Said => [
  "checkpoints",
  { values, metadata: { step }, next: tasks.map(([name]) => name), tasks: tasks.map(([name, id]) => ({ id, name })) },
];

/** A callback of LangChain's, in the task that `ns` names. */
export const callback = (
  event: string,
  name: string,
  id: string,
  ns: string,
  data: object = {},
  tags: string[] = [],
): Said => [
  "events",
  { event, name, run_id: id, tags, data, metadata: { langgraph_checkpoint_ns: ns, langgraph_step: 1 }, parent_ids: [] },
];

export const piece = (id: string, content: string, ns: string, last = false): Said => [
  "messages",
  [
    { type: "AIMessageChunk", id, content, tool_call_chunks: [], chunk_position: last ? "last" : null },
    { langgraph_checkpoint_ns: ns, langgraph_step: 1 },
  ],
];

/** Numbers that look random and are the same each time. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Any log at all: every mode, subgraphs, several attempts, ends without beginnings and beginnings without ends. */
export function anyLog(seed: number, length: number): LoggedEvent[] {
  const random = randomFrom(seed);
  const name = () => ["plan", "tools", "write"][random(3)] ?? "plan";
  const ns = () => (random(3) === 0 ? "|sub:s1" : "");
  const task = () => `t${random(6)}`;
  const said: Said[] = [begun()];
  let attempt = 1;
  while (said.length < length) {
    const path = `${name()}:${task()}`;
    const choices: (() => Said)[] = [
      () => taskBegins(name(), task(), ns()),
      () => taskEnds(name(), task(), random(4) === 0 ? { error: { error: "E", message: "m" } } : {}, ns()),
      () => planned([[name(), task()]], random(9), { n: random(9) }),
      () => [
        "debug",
        { type: "task", step: 2, timestamp: "2026-01-01T00:00:00Z", payload: taskBegins(name(), task())[1] },
      ],
      () => [`updates${ns()}`, { [name()]: { messages: [{ type: "ai", id: `m${random(5)}`, content: "x" }] } }],
      () => ["updates", { __interrupt__: [{ id: "i", value: 1 }] }],
      () => [`values${ns()}`, { n: random(9), messages: [{ type: "human", id: "h", content: "hi" }] }],
      () => piece(`m${random(5)}`, "word ", path, random(5) === 0),
      () => [
        "messages/partial",
        [
          {
            type: "ai",
            id: `m${random(5)}`,
            content: "so far",
            tool_calls: [{ id: `c${random(3)}`, name: "look", args: {} }],
          },
        ],
      ],
      () => [
        "messages/complete",
        [{ type: "tool", id: `m${random(9)}`, tool_call_id: `c${random(3)}`, content: "found" }],
      ],
      () => callback("on_chain_start", "plan", "r1", "plan:t1", {}, ["graph:step:1"]),
      () => callback("on_chain_end", "plan", "r1", "plan:t1", { output: 1 }, ["graph:step:1"]),
      () => callback("on_tool_start", "look", `c${random(4)}`, path, { input: 1 }),
      () => callback("on_tool_end", "look", `c${random(4)}`, path, { output: { content: "found" } }),
      () => ["custom", { progress: random(100) }],
      () => begun((attempt += 1)),
      () => ["error", { error: "ValueError", message: "no" }],
    ];
    said.push(choices[random(choices.length)]?.() ?? ["custom", null]);
  }
  return logOf([...said, ended()]);
}
