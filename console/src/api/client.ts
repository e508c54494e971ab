import { Client } from "@langchain/langgraph-sdk";

import { address, rootUrl, type Query } from "./address";
import { transport } from "./transport";

/** Timeout of ordinary calls in milliseconds. Streams have none. */
export const CALL_MS = 30_000;

/** The SDK's client. Its calls raise the errors of `transport`; the query client retries. */
export const client = new Client({
  apiUrl: rootUrl,
  apiKey: null,
  timeoutMs: CALL_MS,
  callerOptions: { fetch: transport, maxRetries: 0, maxConcurrency: 16 },
});

export type CallOptions = {
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
};

/** Call a route that the SDK lacks: `await call<Status>("GET", "/status")`. Returns undefined for 202 and 204. */
export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  return (await callWithHeaders(method, path, options)).json as T;
}

export type Page<T> = { items: T[]; total: number | null; next: number | null };

/** Fetch a page of a list with `x-pagination-total` and `x-pagination-next`. */
export async function page<T>(method: string, path: string, options: CallOptions = {}): Promise<Page<T>> {
  const { json, headers } = await callWithHeaders(method, path, options);
  return { items: json as T[], total: number(headers, "total"), next: number(headers, "next") };
}

/** Return the body and the headers of a response. */
export async function callWithHeaders(
  method: string,
  path: string,
  { query, body, headers = {}, signal }: CallOptions,
): Promise<{ json: unknown; headers: Headers }> {
  const bound = AbortSignal.timeout(CALL_MS);
  const init: RequestInit = { method, headers, signal: signal ? AbortSignal.any([signal, bound]) : bound };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json", ...headers };
  }
  const response = await transport(address(path, query), init);
  const json: unknown = response.status === 202 || response.status === 204 ? undefined : await response.json();
  return { json, headers: response.headers };
}

function number(headers: Headers, name: string): number | null {
  const text = headers.get(`x-pagination-${name}`);
  return text === null || !/^\d+$/.test(text) ? null : Number(text);
}
