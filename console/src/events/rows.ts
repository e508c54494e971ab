import { lengthOf, type Span } from "./span";

/** One line of the timeline: a span, or all spans of one node. */
export type Row = { key: string; label: string; depth: number; kind: Span["kind"]; spans: readonly Span[] };

/** Each span on its own line, parents before what ran inside of them, in the order of their beginnings. */
export function waterfall(spans: Iterable<Span>): Row[] {
  const all = [...spans];
  const known = new Set(all.map((span) => span.id));
  const below = new Map<string | null, Span[]>();
  for (const span of all) {
    const parent = span.parent !== null && known.has(span.parent) ? span.parent : null;
    const siblings = below.get(parent);
    if (siblings) siblings.push(span);
    else below.set(parent, [span]);
  }
  const rows: Row[] = [];
  const add = (parent: string | null, depth: number) => {
    for (const span of (below.get(parent) ?? []).sort(byBeginning)) {
      rows.push({ key: span.id, label: span.name, depth, kind: span.kind, spans: [span] });
      add(span.id, depth + 1);
    }
  };
  add(null, 0);
  return rows;
}

function byBeginning(a: Span, b: Span): number {
  return a.from - b.from;
}

/** One line for each node and tool, however often it ran: what a long loop looks like. */
export function lanes(spans: Iterable<Span>): Row[] {
  const rows = new Map<string, Row & { spans: Span[] }>();
  const paths: string[] = [];
  for (const span of spans) {
    const key = `${span.kind}/${span.path.join("/")}`;
    const row = rows.get(key);
    if (row) row.spans.push(span);
    else {
      rows.set(key, { key, label: span.name, depth: span.path.length - 1, kind: span.kind, spans: [span] });
      paths.push(key);
    }
  }
  return paths.map((key) => rows.get(key)).filter((row) => row !== undefined);
}

/** Where a bar lies, in parts of the whole width. */
export type Bar = { span: Span; left: number; width: number };

/**
 * The bars of a line. Spans that would be drawn over each other within `least` (a part of the width) are one bar, so a line
 * never has more bars than there are places for them; the worst of them gives the bar its look.
 */
export function bars(spans: readonly Span[], from: number, to: number, now: number, least: number): Bar[] {
  const whole = Math.max(1, to - from);
  const drawn: Bar[] = [];
  for (const span of [...spans].sort(byBeginning)) {
    const left = Math.max(0, (span.from - from) / whole);
    const width = Math.max(least, lengthOf(span, now) / whole);
    const before = drawn[drawn.length - 1];
    if (before && before.width <= least * 1.5 && left - before.left < least) {
      if (LOOK[span.status] > LOOK[before.span.status]) before.span = span;
      continue;
    }
    drawn.push({ span, left: Math.min(left, 1 - least), width: Math.min(width, 1 - Math.min(left, 1 - least)) });
  }
  return drawn;
}

const LOOK: Record<Span["status"], number> = { done: 0, lost: 1, interrupted: 2, running: 3, failed: 4 };

/** Round distances for the marks of an axis: about `count` of them over so many milliseconds. */
export function ticks(length: number, count: number): number[] {
  if (length <= 0) return [0];
  const rough = length / Math.max(1, count);
  const step = STEPS.find((each) => each >= rough) ?? Math.ceil(rough / 3_600_000) * 3_600_000;
  const marks: number[] = [];
  for (let at = 0; at <= length; at += step) marks.push(at);
  return marks;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const STEPS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  ...[1, 2, 5, 10, 15, 30].map((each) => each * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((each) => each * MINUTE),
  ...[1, 2, 6, 12, 24].map((each) => each * HOUR),
];
