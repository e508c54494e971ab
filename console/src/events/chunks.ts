import { isObject, listOf, objectOf, textOf, type Json } from "./json";

/** The first chunk of a message, or a whole one, as the message that it begins. */
export function settled(chunk: Json): Json {
  return finished({ ...chunk, type: "ai" });
}

/** A message with one more chunk, as LangChain adds them: texts joined, blocks and calls by their index, counts summed. */
export function mergeChunk(message: Json, chunk: Json): Json {
  return finished({
    ...message,
    content: mergeContent(message.content, chunk.content),
    tool_call_chunks: mergeIndexed(listOf(message.tool_call_chunks), listOf(chunk.tool_call_chunks)),
    additional_kwargs: mergeObjects(objectOf(message.additional_kwargs), objectOf(chunk.additional_kwargs)),
    response_metadata: { ...objectOf(message.response_metadata), ...objectOf(chunk.response_metadata) },
    usage_metadata: mergeUsage(message.usage_metadata, chunk.usage_metadata),
  });
}

function mergeContent(before: unknown, more: unknown): unknown {
  if (typeof before === "string" && typeof more === "string") return before + more;
  return mergeIndexed(blocks(before), blocks(more));
}

function blocks(content: unknown): readonly unknown[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return listOf(content);
}

/** Blocks with the same `index` are one; without an index, a text goes on the text before it. */
function mergeIndexed(before: readonly unknown[], more: readonly unknown[]): unknown[] {
  const merged = [...before];
  for (const block of more) {
    const place = merged.findIndex((known, at) => continues(known, block, at === merged.length - 1));
    const known = merged[place];
    if (isObject(known) && isObject(block)) merged[place] = mergeObjects(known, block);
    else merged.push(block);
  }
  return merged;
}

function continues(known: unknown, block: unknown, last: boolean): boolean {
  if (!isObject(known) || !isObject(block)) return false;
  if (block.index !== undefined && block.index !== null) return known.index === block.index;
  return last && (known.index === undefined || known.index === null) && block.type === "text" && known.type === "text";
}

/** Fields that name something stay as they are; texts grow. */
const NAMES = new Set(["id", "type", "index", "name", "role", "model_provider"]);

function mergeObjects(before: Json, more: Json): Json {
  const merged: Json = { ...before };
  for (const [key, value] of Object.entries(more)) {
    const known = merged[key];
    if (known === undefined || known === null || known === "") merged[key] = value;
    else if (NAMES.has(key) || value === null || value === undefined) continue;
    else if (typeof known === "string" && typeof value === "string") merged[key] = known + value;
    else if (Array.isArray(known) && Array.isArray(value)) merged[key] = mergeIndexed(known, value);
    else if (isObject(known) && isObject(value)) merged[key] = mergeObjects(known, value);
    else merged[key] = value;
  }
  return merged;
}

function mergeUsage(before: unknown, more: unknown): unknown {
  if (!isObject(before)) return more ?? null;
  if (!isObject(more)) return before;
  const merged: Json = { ...before };
  for (const [key, value] of Object.entries(more)) {
    const known = merged[key];
    if (typeof known === "number" && typeof value === "number") merged[key] = known + value;
    else if (isObject(value)) merged[key] = mergeUsage(known, value);
    else merged[key] = value;
  }
  return merged;
}

/** Calls whose arguments have come whole are calls; those still being written have none yet. */
function finished(message: Json): Json {
  const pieces = listOf(message.tool_call_chunks).map(objectOf);
  if (pieces.length === 0) return message;
  const before = new Map(
    listOf(message.tool_calls).map((call) => [textOf(objectOf(call).id), objectOf(call)] as const),
  );
  const calls = pieces.map((piece) => {
    const text = textOf(piece.args) ?? "";
    const id = textOf(piece.id);
    return { name: piece.name, id, type: "tool_call", args: argumentsOf(text) ?? before.get(id)?.args ?? {} };
  });
  return { ...message, tool_calls: calls };
}

function argumentsOf(text: string): Json | null {
  // Only what may be whole is worth the parsing.
  if (!text.endsWith("}")) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
