import { isRecord } from "./schema";

export type Role = "human" | "ai" | "system" | "tool";

export const ROLES: readonly Role[] = ["human", "ai", "system", "tool"];

const ALIASES: Record<string, Role> = {
  human: "human",
  user: "human",
  ai: "ai",
  assistant: "ai",
  system: "system",
  developer: "system",
  tool: "tool",
};

const OPENAI: Record<Role, string> = { human: "user", ai: "assistant", system: "system", tool: "tool" };

/** Who says a message, in either way of writing it; null where it is written otherwise (a pair, text, another class). */
export function roleOf(message: unknown): Role | null {
  if (!isRecord(message)) return null;
  const said = message.type ?? message.role;
  return typeof said === "string" ? (ALIASES[said] ?? null) : null;
}

/** The message said by another, written in the way in which it was. */
export function withRole(message: Record<string, unknown>, role: Role): Record<string, unknown> {
  return "type" in message ? { ...message, type: role } : { ...message, role: OPENAI[role] };
}

export function blankMessage(role: Role): Record<string, unknown> {
  return { type: role, content: "" };
}
