/** The server's root URL with a trailing slash. The console is one level below it under any mount prefix. */
export const rootUrl = new URL("..", document.baseURI).href;

/** The base path of the router: `/console`, or `/prefix/console`. */
export const basePath = new URL(document.baseURI).pathname.replace(/\/$/, "");

/** Return the URL of an API route. */
export function address(path: string, query: Query = {}): URL {
  const url = new URL(path.replace(/^\//, ""), rootUrl);
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null) continue;
    for (const each of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(each));
  }
  return url;
}

type Scalar = string | number | boolean;

/** Query parameters. Undefined and null are omitted; an array repeats its parameter. */
export type Query = Record<string, Scalar | readonly Scalar[] | null | undefined>;
