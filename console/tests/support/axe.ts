import axe from "axe-core";
import type { Page } from "playwright-core";

type Violation = {
  id: string;
  impact?: string | null;
  help: string;
  nodes: { target: unknown[]; failureSummary?: string }[];
};

/** Serious and critical faults that axe finds on the page as it is now; best none. `rules`: only these of axe's. */
export async function faults(page: Page, rules?: readonly string[]): Promise<string[]> {
  const options = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
  // Evaluated through the debugger, which the page's content security policy lets pass.
  await page.evaluate(axe.source);
  const violations = await page.evaluate<Violation[]>(
    `axe.run(document, ${JSON.stringify(options)}).then((found) => found.violations)`,
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${id}: ${help}: ${String(node.target[0])}\n${node.failureSummary ?? ""}`),
    );
}
