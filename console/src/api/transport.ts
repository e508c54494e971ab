import { reportAnswer, reportLost, reportRefused } from "./connection";
import { credentials } from "./credentials";
import { errorOf, LostError } from "./errors";

/**
 * fetch with the user's credentials, for the SDK's Client and for our own calls. It tells the shell whether the server is
 * there. Raises ApiError for an answer that is no success and LostError when nothing answers; an abort stays one.
 */
export async function transport(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const response = await sent(input, init);
  if (response.ok) return response;
  const error = await errorOf(response);
  if (error.status === 401 || (error.status === 403 && credentials.get() === null)) {
    reportRefused(error.status, error.message);
  }
  throw error;
}

async function sent(input: RequestInfo | URL, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const known = credentials.get();
  if (known !== null) headers.set(known.name, known.value);
  try {
    const response = await fetch(input, { ...init, headers, credentials: "same-origin", cache: "no-store" });
    // A proxy that answers in place of a server that is gone is no answer of the server's.
    if (response.status === 502 || response.status === 504) reportLost();
    else reportAnswer();
    return response;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    reportLost();
    throw new LostError("The server cannot be reached.", { cause: error });
  }
}
