import { mkdir, stat } from "node:fs/promises";
import path from "node:path";

import { expect, testOn, type Page } from "../support";
import { begin, furnish } from "./project";

/** Where README finds them; another place for a look: PICTURES=/tmp/pictures. */
const FOLDER = process.env.PICTURES ?? path.resolve(import.meta.dirname, "../../../docs/console");
const MOST_BYTES = 250_000;

const test = testOn({
  config: path.join(import.meta.dirname, "langgraph.json"),
  flags: ["--webhook-allow-private"],
});

/** The page as it is, light and dark. */
async function take(page: Page, name: string): Promise<void> {
  for (const theme of ["light", "dark"]) {
    await page.evaluate((chosen) => (document.documentElement.dataset.theme = chosen), theme);
    // Whatever was pointed at or focused on the way is not part of the picture.
    await page.mouse.move(0, 899);
    const file = path.join(FOLDER, `${name}-${theme}.png`);
    await page.screenshot({ path: file, animations: "disabled", caret: "hide" });
    expect((await stat(file)).size, `${file} is too large for a README`).toBeLessThan(MOST_BYTES);
  }
}

test("the pictures of the console", { timeout: 240_000 }, async ({ api, open, page }) => {
  await mkdir(FOLDER, { recursive: true });
  await page.setViewportSize({ width: 1440, height: 900 });
  const made = await furnish(api);

  // The second page of a kind is there at once, while what it shows still goes on.
  await open(`/threads/${made.finished.threadId}/runs/${made.finished.runId}`);
  await page.getByText("Cloth was woven").first().waitFor({ timeout: 30_000 });
  const live = await begin(api, made.assistantId, { topic: "the treadle loom" });
  await open(`/threads/${live.threadId}/runs/${live.runId}`);
  await page.getByText("Cloth was woven").first().waitFor({ timeout: 30_000 });
  await take(page, "run");
  expect(await page.getByTestId("status").innerText(), "the picture is of a run that goes on").toContain("running");

  await begin(api, "briefing", { topic: "Jacquard’s cards" });
  await open("/runs");
  await page.getByText("running").first().waitFor();
  await take(page, "runs");

  await open("/threads");
  await page.getByText("The breast beam").waitFor();
  await take(page, "threads");

  await open("/assistants");
  await page.getByRole("link", { name: "weekly looms" }).waitFor();
  await take(page, "assistants");

  await open(`/threads/${made.talk.threadId}`);
  await page.getByRole("group", { name: "refund", exact: true }).waitFor();
  await take(page, "thread");

  await open(`/threads/${made.revised.threadId}?tab=history`);
  const rows = page.getByRole("tabpanel").getByText("review");
  await rows.first().waitFor();
  await page.getByText("2 branches").waitFor();
  const history = await api.threads.getHistory(made.revised.threadId, { limit: 20 });
  const [at, , other] = history.map((state) => state.checkpoint.checkpoint_id ?? "");
  await open(`/threads/${made.revised.threadId}?tab=history&at=${at ?? ""}&with=${other ?? ""}`);
  await rows.first().waitFor();
  await take(page, "history");

  await open(`/assistants/${made.assistantId}`);
  await page.getByRole("textbox", { name: "topic" }).fill("the treadle loom");
  await page.getByRole("button", { name: "Add to sources" }).click();
  await page.getByRole("textbox", { name: "url" }).fill("https://example.org/looms");
  await page.getByRole("textbox", { name: "max_words" }).fill("20");
  await page.getByText("Must be at least 50").waitFor();
  await take(page, "start");

  await open(`/assistants/${made.assistantId}?tab=graph&node=research`);
  await page.getByRole("button", { name: "research", exact: true }).waitFor();
  await take(page, "graph");

  await open("/server");
  await page.getByText("Workers").first().waitFor();
  await take(page, "server");
});
