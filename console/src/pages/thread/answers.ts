import { parseJson } from "../../kit/json";
import type { Action, AnswerKind, InterruptRequest, Decision, Style } from "./interrupts";
import type { Json } from "./types";

/** The form values for one action. `args` has a text for each argument. */
export type ActionDraft = { decision: Decision; args: Record<string, string>; message: string };

/** The form values for one interrupt. `raw` is the JSON text while the JSON editor is open. */
export type Draft = { raw: string | null; actions: readonly ActionDraft[]; answer: AnswerKind; text: string };

export type Answer = { ok: true; value: unknown } | { ok: false; errors: Readonly<Record<string, string>> };

export function draftOf(request: InterruptRequest): Draft {
  if (request.kind === "question") return { raw: null, actions: [], answer: request.expects, text: request.initial };
  return { raw: null, actions: request.actions.map(actionDraft), answer: "json", text: "" };
}

function actionDraft(action: Action): ActionDraft {
  const args = Object.entries(action.args).map(([name, value]) => [name, argText(value)] as const);
  return { decision: action.allowed[0] ?? "approve", args: Object.fromEntries(args), message: "" };
}

/** Strings are edited as text, all other values as JSON. */
export function argText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** The resume value, or the errors by field (`raw`, `text`, `0.message`, `0.args.to`). */
export function answerOf(request: InterruptRequest, draft: Draft): Answer {
  if (draft.raw !== null) return json(draft.raw, "raw");
  if (request.kind === "question") return questionAnswer(request.options, draft);
  const told = request.actions.map((action, index) => decided(request.style, action, draft.actions[index], index));
  const errors = Object.assign({}, ...told.map((each) => (each.ok ? {} : each.errors))) as Record<string, string>;
  if (Object.keys(errors).length > 0) return { ok: false, errors };
  return {
    ok: true,
    value: wrapped(
      request.style,
      told.map((each) => (each.ok ? each.value : null)),
    ),
  };
}

function wrapped(style: Style, decisions: readonly unknown[]): unknown {
  if (style === "decisions") return { decisions };
  return style === "responses" ? decisions : decisions[0];
}

function questionAnswer(options: readonly unknown[], { answer, text }: Draft): Answer {
  if (answer === "text") return { ok: true, value: text };
  if (answer === "choice") {
    const at = text === "" ? -1 : Number(text);
    return at in options ? { ok: true, value: options[at] } : wrong("text", "Choose one.");
  }
  if (answer === "boolean")
    return text === "true" || text === "false" ? { ok: true, value: text === "true" } : wrong("text", "Choose one.");
  if (answer === "number") {
    const number = Number(text);
    return text.trim() === "" || !Number.isFinite(number)
      ? wrong("text", "Enter a number.")
      : { ok: true, value: number };
  }
  return json(text, "text");
}

function decided(style: Style, action: Action, draft: ActionDraft | undefined, index: number): Answer {
  if (draft === undefined) return wrong(`${index}.decision`, "Decide.");
  const { decision, message } = draft;
  if (decision === "respond" && message.trim() === "") return wrong(`${index}.message`, "Say what the answer is.");
  if (decision === "edit") return edited(style, action, draft, index);
  return { ok: true, value: isOlder(style) ? olderAnswer(decision, message) : newAnswer(decision, message) };
}

function isOlder(style: Style): boolean {
  return style === "responses" || style === "one";
}

function newAnswer(decision: Decision, message: string): Json {
  if (decision === "approve") return { type: "approve" };
  return message.trim() === "" ? { type: decision } : { type: decision, message };
}

function olderAnswer(decision: Decision, message: string): Json {
  if (decision === "respond") return { type: "response", args: message };
  return { type: decision === "approve" ? "accept" : "ignore", args: null };
}

function edited(style: Style, action: Action, draft: ActionDraft, index: number): Answer {
  const args: Json = {};
  const errors: Record<string, string> = {};
  for (const [name, text] of Object.entries(draft.args)) {
    const before = action.args[name];
    if (typeof before === "string" || before === undefined) args[name] = text;
    else {
      const parsed = parseJson(text);
      if (parsed.ok && parsed.value !== undefined) args[name] = parsed.value;
      else errors[`${index}.args.${name}`] = parsed.ok ? "Enter a value." : parsed.message;
    }
  }
  if (Object.keys(errors).length > 0) return { ok: false, errors };
  if (isOlder(style)) return { ok: true, value: { type: "edit", args: { action: action.name, args } } };
  return { ok: true, value: { type: "edit", edited_action: { name: action.name, args } } };
}

function json(text: string, field: string): Answer {
  const parsed = parseJson(text);
  if (!parsed.ok) return wrong(field, parsed.message);
  return parsed.value === undefined ? wrong(field, "Enter a value; null is one.") : { ok: true, value: parsed.value };
}

function wrong(field: string, message: string): Answer {
  return { ok: false, errors: { [field]: message } };
}
