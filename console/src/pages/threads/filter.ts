import { metadataValue, searchTerms } from "../../kit/searchTerms";

export const STATUSES = ["idle", "busy", "interrupted", "error"] as const;
export const SORTS = ["updated_at", "created_at", "status"] as const;

export type Search = { status?: string; metadata?: Record<string, unknown>; ids?: string[] };

/** The filters of `POST /threads/search`, or what is wrong with the text. */
export function searchOf(status: string, text: string): { body: Search; error: string | null } {
  const body: Search = status === "" ? {} : { status };
  let error: string | null = null;
  for (const word of searchTerms(text)) {
    if (word.sign === "=") body.metadata = { ...body.metadata, [word.name]: metadataValue(word.value) };
    else if (word.id !== null) body.ids = [...(body.ids ?? []), word.id];
    else error = `“${word.text}” is not understood: write key=value or a whole thread id`;
  }
  return { body, error };
}
