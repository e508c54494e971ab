import { isObject, objectOf, textOf, type Json } from "../events/json";

/** A part of what a message says. `media` has an address that may be shown (`data:`) or only linked (anything else). */
export type Block =
  | { kind: "text"; text: string; sources: readonly Source[] }
  | { kind: "reasoning"; text: string }
  | { kind: "media"; media: "image" | "audio" | "video" | "file"; url: string | null; type: string; name: string }
  | { kind: "other"; name: string; value: unknown };

export type Source = { title: string; url: string | null };

/** Shown elsewhere: calls are beside the content, in `tool_calls`. */
const CALLS = new Set([
  "tool_use",
  "tool_call",
  "tool_call_chunk",
  "input_json_delta",
  "function_call",
  "invalid_tool_call",
]);

/** Content as text or a list of blocks of any provider's shape, LangChain's own first. */
export function blocksOf(content: unknown, extra: Json = {}): Block[] {
  const given = Array.isArray(content) ? content : content === undefined || content === null ? [] : [content];
  const blocks = given.flatMap((each) => blockOf(each));
  // Some integrations keep what a model thought outside of the content.
  const thought = textOf(extra.reasoning_content);
  return thought && !blocks.some((block) => block.kind === "reasoning")
    ? [{ kind: "reasoning", text: thought }, ...blocks]
    : blocks;
}

function blockOf(block: unknown): Block[] {
  if (typeof block === "string") return block === "" ? [] : [{ kind: "text", text: block, sources: [] }];
  if (!isObject(block)) return [{ kind: "other", name: typeof block, value: block }];
  const type = textOf(block.type) ?? "";
  if (CALLS.has(type)) return [];
  if (type === "text" || type === "text-plain" || type === "output_text") return textBlock(block);
  if (type === "reasoning" || type === "thinking") return reasoningBlock(block);
  return [mediaBlock(type, block) ?? { kind: "other", name: type || "block", value: block }];
}

function textBlock(block: Json): Block[] {
  const text = textOf(block.text) ?? "";
  const notes = Array.isArray(block.annotations)
    ? block.annotations
    : Array.isArray(block.citations)
      ? block.citations
      : [];
  const sources = notes.filter(isObject).map(sourceOf);
  return text === "" && sources.length === 0 ? [] : [{ kind: "text", text, sources }];
}

function sourceOf(note: Json): Source {
  const url = textOf(note.url) ?? null;
  return {
    title: textOf(note.title) ?? textOf(note.document_title) ?? url ?? textOf(note.cited_text) ?? "source",
    url,
  };
}

function reasoningBlock(block: Json): Block[] {
  const summary = Array.isArray(block.summary) ? block.summary : [];
  const parts = summary.filter(isObject).flatMap((part) => textOf(part.text) ?? []);
  const text = textOf(block.reasoning) ?? textOf(block.thinking) ?? textOf(block.text) ?? parts.join("\n\n");
  return text === "" ? [] : [{ kind: "reasoning", text }];
}

const MEDIA = { image: "image", audio: "audio", video: "video", file: "file", document: "file" } as const;

function mediaBlock(type: string, block: Json): Block | null {
  if (type === "image_url") return { ...media("image", linked(block.image_url), ""), name: "image" };
  if (type === "input_audio") {
    const sound = objectOf(block.input_audio);
    return media(
      "audio",
      dataUrl(textOf(sound.data), `audio/${textOf(sound.format) ?? "wav"}`),
      `audio/${textOf(sound.format) ?? "wav"}`,
    );
  }
  const kind = Object.hasOwn(MEDIA, type) ? MEDIA[type as keyof typeof MEDIA] : null;
  if (kind === null) return null;
  const source = isObject(block.source) ? block.source : block;
  const mime = textOf(source.mime_type) ?? textOf(source.media_type) ?? textOf(block.mime_type) ?? "";
  const encoded = textOf(source.base64) ?? textOf(source.data);
  const url = textOf(source.url) ?? dataUrl(encoded, mime || `${kind}/*`);
  const name = textOf(block.filename) ?? textOf(block.name) ?? textOf(block.title) ?? textOf(source.file_id) ?? kind;
  return { ...media(kind, url, mime), name };
}

type MediaBlock = Extract<Block, { kind: "media" }>;

function media(kind: MediaBlock["media"], url: string | null, type: string): MediaBlock {
  return { kind: "media", media: kind, url, type, name: kind };
}

function linked(value: unknown): string | null {
  return typeof value === "string" ? value : (textOf(objectOf(value).url) ?? null);
}

function dataUrl(encoded: string | null, type: string): string | null {
  return encoded === null ? null : `data:${type};base64,${encoded}`;
}

/** Whether the page may load it by itself: what lies elsewhere is linked only, so that looking at a thread calls no one. */
export function isShown(block: MediaBlock): boolean {
  return (
    block.media === "image" &&
    block.url !== null &&
    /^data:image\/(png|jpe?g|gif|webp|avif|bmp|svg\+xml|\*)[;,]/.test(block.url)
  );
}
