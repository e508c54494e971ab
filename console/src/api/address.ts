/** The server's root, with a slash at its end: the console lies one level below it, wherever that is mounted. */
export const rootUrl = new URL("..", document.baseURI).href;

/** What the router counts as its own root: `/console`, or `/prefix/console`. */
export const basePath = new URL(document.baseURI).pathname.replace(/\/$/, "");

/** The address of a route of the API. */
export function address(path: string, query: Query = {}): URL {
  const url = new URL(path.replace(/^\//, ""), rootUrl);
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null) continue;
    for (const each of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(each));
  }
  return url;
}

type Scalar = string | number | boolean;

/** Query parameters: undefined and null are left out, an array is a parameter repeated. */
export type Query = Record<string, Scalar | readonly Scalar[] | null | undefined>;
