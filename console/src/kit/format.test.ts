import { describe, expect, test } from "vitest";

import { ago, bytes, counted, duration, shortId } from "./format";

describe("duration", () => {
  test.each([
    [0, "0 ms"],
    [999, "999 ms"],
    [1000, "1.0 s"],
    [9949, "9.9 s"],
    [9960, "10 s"],
    [59_400, "59 s"],
    [59_600, "1 m 00 s"],
    [125_000, "2 m 05 s"],
    [3_599_900, "1 h 00 m"],
    [4_320_000, "1 h 12 m"],
    [3 * 86_400_000 + 4 * 3_600_000, "3 d 4 h"],
    [-1, "–"],
    [Number.NaN, "–"],
  ])("%d ms is %s", (ms, text) => expect(duration(ms)).toBe(text));
});

describe("ago", () => {
  const now = Date.UTC(2026, 10, 22, 12);
  test.each([
    [0, "now"],
    [12_000, "12 s ago"],
    [-300_000, "in 5 m"],
    [7_200_000, "2 h ago"],
    [3 * 86_400_000, "3 d ago"],
    [8 * 86_400_000, "2026-11-14"],
  ])("%d ms before now is %s", (ms, text) => expect(ago(now - ms, now)).toBe(text));
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1400, "1.4 kB"],
  [23_000_000, "23 MB"],
  [999_600, "1 MB"],
  [123_400, "123 kB"],
])("%d bytes are %s", (size, text) => expect(bytes(size)).toBe(text));

test("a short id keeps the end, which distinguishes time-ordered ids", () => {
  expect(shortId("01a2b3c4-0000-7000-8000-0123456789ab")).toBe("01a2…6789ab");
  expect(shortId("agent")).toBe("agent");
});

test.each([
  [counted(0, "run"), "0 runs"],
  [counted(1, "run"), "1 run"],
  [counted(12_345, "run"), "12,345 runs"],
  [counted(1, "run", { more: true }), "1+ runs"],
  [counted(2, "delivery", { some: "deliveries" }), "2 deliveries"],
])("%s", (formatted, text) => expect(formatted).toBe(text));
