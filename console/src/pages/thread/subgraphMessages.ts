import { ROOT, type Transcript } from "../../chat";

/** A conversation with what sub-agents were heard saying before: states of a graph do not hold it. */
export function withSubgraphMessages(transcript: Transcript, past: Transcript | null): Transcript {
  if (past === null) return transcript;
  const inner = [...past.scopes].filter(([namespace]) => namespace !== ROOT && !transcript.scopes.has(namespace));
  if (inner.length === 0) return transcript;
  return {
    key: transcript.key,
    scopes: new Map([...transcript.scopes, ...inner]),
    links: new Map([...past.links, ...transcript.links]),
  };
}
