/** A row of `POST /threads/search`: without values, which may be large, but for the first and the last message. */
export type ThreadRow = {
  thread_id: string;
  status: string;
  created_at: string;
  updated_at: string;
  metadata: Record<string, unknown> | null;
  interrupts?: Record<string, unknown[]>;
  extracted: { first: unknown; last: unknown };
};

export const SELECT = ["thread_id", "status", "created_at", "updated_at", "metadata", "interrupts"];
export const EXTRACT = { first: "values.messages[0].content", last: "values.messages[-1].content" };

export function questionsOf(thread: ThreadRow): number {
  return Object.values(thread.interrupts ?? {}).flat().length;
}

/** What a message says, as one line; parts that are no text are left out. */
export function lineOf(content: unknown): string {
  if (typeof content === "string") return content.replace(/\s+/g, " ").trim();
  if (!Array.isArray(content)) return "";
  const texts = content.map((part: unknown) => (isText(part) ? part.text : ""));
  return lineOf(texts.join(" "));
}

function isText(part: unknown): part is { text: string } {
  return typeof part === "object" && part !== null && "text" in part && typeof part.text === "string";
}
