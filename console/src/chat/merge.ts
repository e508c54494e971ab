import { isObject, listOf, numberOf, objectOf, textOf, type Json } from "../events/json";
import type { RawMessage } from "./message";

/** A message with one more piece of itself, as models stream them. Neither argument is changed. */
export function mergeChunk(before: RawMessage, piece: RawMessage): RawMessage {
  return {
    ...before,
    ...filled(piece),
    content: mergeContent(before.content, piece.content),
    additional_kwargs: mergeExtras(objectOf(before.additional_kwargs), objectOf(piece.additional_kwargs)),
    response_metadata: { ...objectOf(before.response_metadata), ...objectOf(piece.response_metadata) },
    tool_call_chunks: mergeCalls(listOf(before.tool_call_chunks), listOf(piece.tool_call_chunks)),
    // What a server makes of a single piece of a call says nothing about the whole.
    tool_calls: [],
    invalid_tool_calls: [],
    usage_metadata: mergeUsage(before.usage_metadata, piece.usage_metadata),
  };
}

/** A piece says null where it has nothing to say. */
function filled(piece: RawMessage): RawMessage {
  return Object.fromEntries(Object.entries(piece).filter(([, value]) => value !== null && value !== undefined));
}

function mergeContent(before: unknown, piece: unknown): unknown {
  if (piece === undefined || piece === null || piece === "") return before;
  if (before === undefined || before === null || before === "") return piece;
  if (typeof before === "string" && typeof piece === "string") return before + piece;
  return mergeBlocks(asList(before), asList(piece));
}

function asList(content: unknown): readonly unknown[] {
  return Array.isArray(content) ? content : [content];
}

/** Blocks with an index belong to the block of the same index; text without one goes on where the last text stopped. */
function mergeBlocks(before: readonly unknown[], pieces: readonly unknown[]): unknown[] {
  const blocks = [...before];
  for (const piece of pieces) {
    const at = placeOf(blocks, piece);
    if (at < 0) blocks.push(piece);
    else blocks[at] = mergeBlock(blocks[at], piece);
  }
  return blocks;
}

function placeOf(blocks: readonly unknown[], piece: unknown): number {
  const last = blocks.length - 1;
  if (typeof piece === "string") return isText(blocks[last]) ? last : -1;
  if (!isObject(piece)) return -1;
  if (piece.index !== undefined && piece.index !== null) {
    return blocks.findIndex(
      (block) => isObject(block) && block.index === piece.index && kindOf(block) === kindOf(piece),
    );
  }
  const before = blocks[last];
  const goesOn = isObject(before) && before.index === undefined && kindOf(before) === kindOf(piece);
  return goesOn && (piece.type === "text" || kindOf(piece) === "thought") ? last : -1;
}

function isText(block: unknown): boolean {
  return typeof block === "string" || (isObject(block) && block.type === "text");
}

function kindOf(block: Json): string {
  const type = textOf(block.type) ?? "";
  if (type === "thinking" || type === "reasoning" || type === "signature") return "thought";
  return type === "input_json_delta" ? "tool_use" : type;
}

const GROWING = new Set(["text", "thinking", "reasoning", "partial_json", "input", "args", "signature"]);

function mergeBlock(before: unknown, piece: unknown): unknown {
  if (typeof before === "string" && typeof piece === "string") return before + piece;
  if (typeof piece === "string")
    return isObject(before) ? { ...before, text: `${textOf(before.text) ?? ""}${piece}` } : piece;
  if (!isObject(before) || !isObject(piece)) return piece;
  const merged: Json = { ...before };
  for (const [key, value] of Object.entries(piece)) {
    const old = merged[key];
    if (GROWING.has(key) && typeof old === "string" && typeof value === "string") merged[key] = old + value;
    else if (Array.isArray(old) && Array.isArray(value))
      merged[key] = mergeBlocks(old as unknown[], value as unknown[]);
    else if (key !== "type" && value !== null) merged[key] = value;
  }
  return merged;
}

function mergeExtras(before: Json, piece: Json): Json {
  const merged: Json = { ...before };
  for (const [key, value] of Object.entries(piece)) {
    const old = merged[key];
    merged[key] = typeof old === "string" && typeof value === "string" ? old + value : value;
  }
  return merged;
}

function mergeCalls(before: readonly unknown[], pieces: readonly unknown[]): unknown[] {
  const calls = [...before];
  for (const piece of pieces) {
    if (!isObject(piece)) continue;
    const at = calls.findIndex((call) => isObject(call) && sameCall(call, piece));
    const old = calls[at];
    if (isObject(old))
      calls[at] = { ...old, ...filled(piece), name: joined(old.name, piece.name), args: joined(old.args, piece.args) };
    else calls.push(piece);
  }
  return calls;
}

/** Pieces without an index are whole calls, unless they have the id of one that is there. */
function sameCall(call: Json, piece: Json): boolean {
  const id = textOf(piece.id);
  if (id !== null && textOf(call.id) !== null && id !== call.id) return false;
  const index = numberOf(piece.index);
  return index === null ? id !== null && call.id === id : call.index === index;
}

function joined(before: unknown, piece: unknown): string {
  return `${textOf(before) ?? ""}${textOf(piece) ?? ""}`;
}

function mergeUsage(before: unknown, piece: unknown): unknown {
  if (!isObject(piece)) return before;
  if (!isObject(before)) return piece;
  const merged: Json = { ...before };
  for (const [key, value] of Object.entries(piece)) {
    const old = merged[key];
    if (typeof value === "number") merged[key] = (numberOf(old) ?? 0) + value;
    else if (isObject(value)) merged[key] = mergeUsage(old, value);
  }
  return merged;
}
