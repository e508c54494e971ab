import { ROOT, type Transcript } from "../../chat";

/** Adds the subgraph messages streamed earlier, which the thread's state does not contain. */
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
