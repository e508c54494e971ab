/** All namespaces without duplicates, each after its parents, sorted. */
export function withParents(namespaces: readonly (readonly string[])[]): string[][] {
  const all = new Map<string, string[]>();
  for (const namespace of namespaces) {
    for (let depth = 1; depth <= namespace.length; depth += 1) {
      const parent = namespace.slice(0, depth);
      all.set(JSON.stringify(parent), parent);
    }
  }
  return [...all.values()].sort(inOrder);
}

function inOrder(one: readonly string[], other: readonly string[]): number {
  for (let depth = 0; depth < Math.min(one.length, other.length); depth += 1) {
    const order = (one[depth] ?? "").localeCompare(other[depth] ?? "");
    if (order !== 0) return order;
  }
  return one.length - other.length;
}
