import { describe, expect, test } from "vitest";

import { FrameDecoder, type Frame } from "./sse";

const STREAM =
  'event: metadata\r\ndata: {"run_id":"r","attempt":1}\r\nid: 1795359280859-1\r\n\r\n' +
  ": heartbeat\r\n\r\n" +
  'event: updates|sub:1\r\ndata: {"text":"a\\nb: c"}\r\nid: 1795359280863-2\r\n\r\n' +
  'event: gap\r\ndata: {"first_seq":9}\r\n\r\n' +
  "event: custom\ndata: 1\ndata: 2\nid: 7-3\n\n" +
  "event: end\r\ndata:null\r\nid: 1795359280869-10\r\n\r\n";

const FRAMES: Frame[] = [
  { event: "metadata", data: '{"run_id":"r","attempt":1}', id: "1795359280859-1" },
  { event: "updates|sub:1", data: '{"text":"a\\nb: c"}', id: "1795359280863-2" },
  { event: "gap", data: '{"first_seq":9}', id: "" },
  { event: "custom", data: "1\n2", id: "7-3" },
  { event: "end", data: "null", id: "1795359280869-10" },
];

function decoded(pieces: readonly string[]): Frame[] {
  const decoder = new FrameDecoder();
  return pieces.flatMap((piece) => decoder.push(piece));
}

describe("frames", () => {
  test("are decoded without heartbeats", () => {
    expect(decoded([STREAM])).toEqual(FRAMES);
  });

  test("are the same wherever the stream is split in two", () => {
    for (let at = 0; at <= STREAM.length; at += 1) {
      expect(decoded([STREAM.slice(0, at), STREAM.slice(at)]), `cut at ${at}`).toEqual(FRAMES);
    }
  });

  test.each([1, 2, 3, 7, 64])("are the same in pieces of %d characters", (size) => {
    const pieces = Array.from({ length: Math.ceil(STREAM.length / size) }, (_, at) =>
      STREAM.slice(at * size, (at + 1) * size),
    );
    expect(decoded(pieces)).toEqual(FRAMES);
  });

  test("are not emitted before they are complete", () => {
    expect(decoded([STREAM.slice(0, -2)])).toEqual(FRAMES.slice(0, -1));
  });
});

test("decoding time grows linearly with the length of the stream", () => {
  const frame = `event: values\r\ndata: ${JSON.stringify({ text: "x".repeat(2000) })}\r\nid: 1-1\r\n\r\n`;
  const decoder = new FrameDecoder();
  const startedAt = performance.now();
  let count = 0;
  for (let at = 0; at < 5_000; at += 1) count += decoder.push(frame).length;
  expect(count).toBe(5_000);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});
