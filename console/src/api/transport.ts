import { reportAnswer, reportUnreachable, reportRefused } from "./connection";
import { credentials, type Credentials } from "./credentials";
import { errorOf, UnreachableError } from "./errors";

/**
 * fetch with the user's credentials, for the SDK's Client and our own calls. Reports the connection state to the shell.
 * Raises ApiError for an error response and UnreachableError without a response; an abort error passes through.
 */
export async function transport(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const known = credentials.get();
  const response = await sent(input, init, known);
  if (response.ok) return response;
  const error = await errorOf(response);
  // Ignore a refusal of old credentials: the user signed in while the request was in flight.
  const current = credentials.get() === known;
  if (current && (error.status === 401 || (error.status === 403 && known === null))) {
    reportRefused(error.status, error.message);
  }
  throw error;
}

async function sent(input: RequestInfo | URL, init: RequestInit, known: Credentials | null): Promise<Response> {
  const headers = new Headers(init.headers);
  if (known !== null) headers.set(known.name, known.value);
  try {
    const response = await fetch(input, { ...init, headers, credentials: "same-origin", cache: "no-store" });
    // A 502 or 504 comes from a proxy in front of an unreachable server.
    if (response.status === 502 || response.status === 504) reportUnreachable();
    else reportAnswer();
    return response;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    reportUnreachable();
    throw new UnreachableError("The server cannot be reached.", { cause: error });
  }
}
