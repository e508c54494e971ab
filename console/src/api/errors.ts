/** An error response: `detail` (the message) for people, `code` for programs. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly field: string | null;
  readonly data: Record<string, unknown>;

  constructor(status: number, body: Record<string, unknown>, fallback: string) {
    super(typeof body.detail === "string" ? body.detail : fallback);
    this.status = status;
    this.code = typeof body.code === "string" ? body.code : "";
    this.field = typeof body.field === "string" ? body.field : null;
    this.data = body;
  }
}

/** The server is down, restarting or unreachable. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/** Read the body of a response into an ApiError. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  return new ApiError(response.status, parsed(text), text.slice(0, 500) || `HTTP ${response.status}`);
}

/** Whether a retry may succeed because the server restarts or is overloaded. */
export function isTransient(error: unknown): boolean {
  if (error instanceof UnreachableError) return true;
  return error instanceof ApiError && (error.status === 429 || error.status >= 500);
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** Return an error as one line. */
export function messageOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return "The server did not answer in time.";
  return error instanceof Error ? error.message : String(error);
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
