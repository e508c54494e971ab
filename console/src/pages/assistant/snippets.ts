import { isRecord } from "../../forms/schema";
import type { Body } from "./start";

type Asked = { url: string; assistantId: string; threadId: string | null; body: Body; header: string | null };

/** The request as a command. A new thread gets a new id each time. */
export function asCurl({ url, threadId, body, header }: Asked): string {
  const thread = threadId ?? "$(uuidgen)";
  const lines = [
    `curl -X POST "${url}threads/${thread}/runs"`,
    `-H 'content-type: application/json'`,
    ...(header === null ? [] : [`-H '${header}: …'`]),
    `-d '${JSON.stringify(body, null, 2).replaceAll("'", "'\\''")}'`,
  ];
  return lines.join(" \\\n  ");
}

/** The request with treadle's client, followed as it streams. */
export function asPython({ url, assistantId, threadId, body, header }: Asked): string {
  const headers = header === null ? "" : `, headers={${pythonOf(header)}: "…"}`;
  const thread = threadId === null ? "client.threads.create().thread_id" : pythonOf(threadId);
  const given = Object.entries(body)
    .filter(([name]) => name !== "assistant_id" && name !== "if_not_exists")
    .map(([name, value]) => `        ${name}=${pythonOf(value, "        ")},`);
  return [
    "from treadle import Client",
    "",
    `with Client(${pythonOf(url.replace(/\/$/, ""))}${headers}) as client:`,
    `    thread_id = ${thread}`,
    "    for event in client.runs.stream(",
    "        thread_id,",
    `        ${pythonOf(assistantId)},`,
    ...given,
    "    ):",
    "        print(event)",
  ].join("\n");
}

/** JSON as Python writes it. */
export function pythonOf(value: unknown, indent = ""): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (!Array.isArray(value) && !isRecord(value)) return JSON.stringify(value);
  const short = flat(value);
  if (short.length + indent.length <= 88) return short;
  const deeper = `${indent}    `;
  const lines = Array.isArray(value)
    ? value.map((each) => `${deeper}${pythonOf(each, deeper)},`)
    : Object.entries(value).map(([key, each]) => `${deeper}${JSON.stringify(key)}: ${pythonOf(each, deeper)},`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return [open, ...lines, `${indent}${close}`].join("\n");
}

function flat(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flat).join(", ")}]`;
  if (!isRecord(value)) return pythonOf(value);
  return `{${Object.entries(value)
    .map(([key, each]) => `${JSON.stringify(key)}: ${flat(each)}`)
    .join(", ")}}`;
}
