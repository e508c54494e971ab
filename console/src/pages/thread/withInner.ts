import { ROOT, type Talk } from "../../chat";

/** A conversation with what sub-agents were heard saying before: states of a graph do not hold it. */
export function withInner(talk: Talk, past: Talk | null): Talk {
  if (past === null) return talk;
  const inner = [...past.scopes].filter(([namespace]) => namespace !== ROOT && !talk.scopes.has(namespace));
  if (inner.length === 0) return talk;
  return {
    key: talk.key,
    scopes: new Map([...talk.scopes, ...inner]),
    links: new Map([...past.links, ...talk.links]),
  };
}
