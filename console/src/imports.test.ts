import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const ROOT = import.meta.dirname;

/** The modules of src, each with the modules it imports. Type-only imports count. */
function importsByModule(): Map<string, string[]> {
  const files = readdirSync(ROOT, { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));
  const resolve = (from: string, target: string) =>
    [".ts", ".tsx", "/index.ts", "/index.tsx"]
      .map((suffix) => path.join(path.dirname(from), target) + suffix)
      .find((file) => files.includes(file));
  return new Map(
    files.map((file) => {
      const targets = readFileSync(path.join(ROOT, file), "utf8").matchAll(/(?:from|import\(?)\s*"(\.[^"]*)"/g);
      return [file, [...targets].flatMap(([, target = ""]) => resolve(file, target) ?? [])];
    }),
  );
}

/** A cycle that is reachable from the last module of `trail`, or null. */
function cycleFrom(imports: Map<string, string[]>, trail: string[], checked: Set<string>): string[] | null {
  const module = trail.at(-1) ?? "";
  if (trail.indexOf(module) < trail.length - 1) return trail.slice(trail.indexOf(module));
  if (checked.has(module)) return null;
  for (const target of imports.get(module) ?? []) {
    const cycle = cycleFrom(imports, [...trail, target], checked);
    if (cycle !== null) return cycle;
  }
  checked.add(module);
  return null;
}

test("modules do not import each other in a cycle", () => {
  const imports = importsByModule();
  const checked = new Set<string>();
  for (const module of imports.keys()) expect(cycleFrom(imports, [module], checked), "an import cycle").toBeNull();
});
