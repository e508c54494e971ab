import { isObject, listOf, objectOf, textOf } from "../../events/json";
import type { Interrupt, Json, Task } from "./types";

/** The decisions that a user can make about an action. */
export type Decision = "approve" | "edit" | "respond" | "reject" | "ignore";

/** An action that needs a decision. */
export type Action = {
  name: string;
  args: Json;
  description: string | null;
  allowed: readonly Decision[];
};

/**
 * The format of the resume value: `decisions` in an object (LangChain's middleware), one `decision` for a single call (the
 * per-call variant), or a list of `{type, args}` (the legacy format; `one` if the payload was not a list).
 */
export type Style = "decisions" | "decision" | "responses" | "one";

export type AnswerKind = "text" | "number" | "boolean" | "choice" | "json";

export type InterruptRequest =
  | { kind: "review"; style: Style; actions: readonly Action[] }
  | {
      kind: "question";
      prompt: string | null;
      details: unknown;
      options: readonly unknown[];
      expects: AnswerKind;
      initial: string;
    };

export type Pending = { id: string; node: string; value: unknown; request: InterruptRequest };

/** All pending interrupts of a state, including those of subgraphs. */
export function pendingOf(tasks: readonly Task[]): Pending[] {
  const pending = tasks.flatMap((task) =>
    task.interrupts.map((interrupt, index) => ({
      id: interrupt.id ?? `${task.id}#${index}`,
      node: task.name,
      value: interrupt.value,
      request: requestOf(interrupt),
    })),
  );
  return [...new Map(pending.map((each) => [each.id, each])).values()];
}

/** Parses an interrupt's payload. Unknown payloads become questions, which can be answered with raw JSON. */
export function requestOf(interrupt: Interrupt): InterruptRequest {
  const { value } = interrupt;
  return batch(value) ?? single(interrupt) ?? older(value) ?? question(value, interrupt.response_schema);
}

const DECISIONS: readonly Decision[] = ["approve", "edit", "respond", "reject"];

function batch(value: unknown): InterruptRequest | null {
  if (!isObject(value) || !Array.isArray(value.action_requests)) return null;
  const configs = listOf(value.review_configs).filter(isObject);
  const actions = value.action_requests.filter(isObject).map((request, index): Action => {
    const name = textOf(request.name) ?? textOf(request.action) ?? "action";
    const config = configs.find((each) => each.action_name === name) ?? configs[index] ?? {};
    return { ...described(request), name, args: argsOf(request), allowed: allowedOf(config.allowed_decisions) };
  });
  return actions.length > 0 ? { kind: "review", style: "decisions", actions } : null;
}

function single({ value, response_schema }: Interrupt): InterruptRequest | null {
  if (!isObject(value) || value.type !== "tool_approval" || textOf(value.name) === null) return null;
  const action = {
    ...described(value),
    name: textOf(value.name) ?? "",
    args: argsOf(value),
    allowed: branches(response_schema),
  };
  return { kind: "review", style: "decision", actions: [action] };
}

/** The decisions that the response schema allows. */
function branches(schema: unknown): readonly Decision[] {
  const text = JSON.stringify(schema ?? {});
  return allowedOf(
    DECISIONS.filter((decision) => text.includes(`"const":"${decision}"`) || text.includes(`"${decision}":`)),
  );
}

function allowedOf(given: unknown): readonly Decision[] {
  const allowed = listOf(given);
  const known = DECISIONS.filter((decision) => allowed.includes(decision));
  return known.length > 0 ? known : DECISIONS;
}

function older(value: unknown): InterruptRequest | null {
  const requests = Array.isArray(value) ? value : [value];
  if (requests.length === 0 || !requests.every((each) => isObject(each) && isObject(each.action_request))) return null;
  const actions = requests.map((each): Action => {
    const { action_request, config, description } = each as Json;
    const request = objectOf(action_request);
    const name = textOf(request.action) ?? textOf(request.name) ?? "action";
    return { name, args: argsOf(request), description: textOf(description), allowed: olderAllowed(objectOf(config)) };
  });
  return { kind: "review", style: Array.isArray(value) ? "responses" : "one", actions };
}

function olderAllowed(config: Json): readonly Decision[] {
  const flags: [string, Decision][] = [
    ["allow_accept", "approve"],
    ["allow_edit", "edit"],
    ["allow_respond", "respond"],
    ["allow_ignore", "ignore"],
  ];
  const allowed = flags.filter(([flag]) => config[flag] === true).map(([, decision]) => decision);
  return allowed.length > 0 ? allowed : ["approve", "edit", "respond", "ignore"];
}

function described(request: Json): { description: string | null } {
  return { description: textOf(request.description) };
}

function argsOf(request: Json): Json {
  return objectOf(request.args ?? request.arguments);
}

const PROMPTS = ["question", "prompt", "message", "query", "title", "text", "instruction", "description"];
const OPTIONS = ["options", "choices", "enum", "allowed"];
const INITIALS = ["default", "initial", "suggestion", "draft"];

function question(value: unknown, schema: unknown): InterruptRequest {
  if (typeof value === "string") return { ...empty(schema), prompt: value };
  if (!isObject(value)) return { ...empty(schema), details: value };
  const promptKey = PROMPTS.find((key) => textOf(value[key]));
  const optionsKey = OPTIONS.find((key) => isChoices(value[key]));
  const initialKey = INITIALS.find((key) => key in value);
  const shown = new Set([promptKey, optionsKey, initialKey].filter((key) => key !== undefined));
  const rest = Object.entries(value).filter(([key]) => !shown.has(key));
  const base = empty(schema);
  const options = optionsKey === undefined ? base.options : listOf(value[optionsKey]);
  const initial = initialKey === undefined ? undefined : value[initialKey];
  const expects = options.length > 0 ? "choice" : initial === undefined ? base.expects : kindOf(initial);
  return {
    ...base,
    prompt: promptKey === undefined ? null : textOf(value[promptKey]),
    details: rest.length > 0 ? Object.fromEntries(rest) : undefined,
    options,
    expects,
    initial: initial === undefined ? "" : typed(initial, expects, options),
  };
}

type Question = Extract<InterruptRequest, { kind: "question" }>;

function empty(schema: unknown): Question {
  const { type, enum: values } = objectOf(schema);
  const options = listOf(values);
  const kinds: Record<string, AnswerKind> = {
    boolean: "boolean",
    number: "number",
    integer: "number",
    object: "json",
    array: "json",
  };
  const expects = options.length > 0 ? "choice" : (kinds[textOf(type) ?? ""] ?? "text");
  return { kind: "question", prompt: null, details: undefined, options, expects, initial: "" };
}

function isChoices(value: unknown): boolean {
  return (
    Array.isArray(value) && value.length > 0 && value.length <= 50 && value.every((each) => typeof each !== "object")
  );
}

function kindOf(value: unknown): AnswerKind {
  if (typeof value === "number") return "number";
  if (typeof value === "boolean") return "boolean";
  return typeof value === "string" ? "text" : "json";
}

function typed(value: unknown, kind: AnswerKind, options: readonly unknown[]): string {
  if (kind === "choice") return String(Math.max(options.indexOf(value), 0));
  return typeof value === "string" && kind === "text" ? value : JSON.stringify(value, null, 2);
}
