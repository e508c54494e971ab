import { reportAnswer, reportUnreachable, reportRefused } from "./connection";
import { credentials, type Credentials } from "./credentials";
import { errorOf, UnreachableError } from "./errors";

/**
 * fetch with the user's credentials, for the SDK's Client and for our own calls. It tells the shell whether the server is
 * there. Raises ApiError for an answer that is no success and UnreachableError when nothing answers; an abort stays one.
 */
export async function transport(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const known = credentials.get();
  const response = await sent(input, init, known);
  if (response.ok) return response;
  const error = await errorOf(response);
  // Who has signed in while this was under way is not asked again for what was sent before.
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
    // A proxy that answers in place of a server that is gone is no answer of the server's.
    if (response.status === 502 || response.status === 504) reportUnreachable();
    else reportAnswer();
    return response;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    reportUnreachable();
    throw new UnreachableError("The server cannot be reached.", { cause: error });
  }
}
