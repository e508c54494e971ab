import type { Client } from "@langchain/langgraph-sdk";

import { drawn, expect, faults, longestFrame, test, type Page } from "./support";
import { seedThreads } from "./support/seed";

type Options = { tags?: string[]; metadata?: Record<string, unknown> };

async function begin(api: Client, graph: string, input: object, { tags = [], metadata = {} }: Options = {}) {
  const { thread_id: threadId } = await api.threads.create();
  const { run_id: runId } = await api.runs.create(threadId, graph, {
    input: input as Record<string, unknown>,
    config: { tags },
    metadata,
  });
  return { threadId, runId };
}

const quick = { delay: 0, steps: [] };
const long = { delay: 20, steps: [] };

/** Where nothing is slow, a frame takes some 20 ms; a list that draws all of its rows takes seconds. */
const STILL_MS = 1_000;

const rows = (page: Page) => page.getByRole("grid").locator("[role=row][aria-rowindex]:not([aria-rowindex='1'])");
const row = (page: Page, threadId: string) =>
  page.getByRole("row").filter({ has: page.locator(`a[href$="/threads/${threadId}"]`) });

async function choose(page: Page, threadId: string, action: string): Promise<void> {
  await row(page, threadId)
    .getByRole("button", { name: /^Actions for run/ })
    .click();
  await page.getByRole("menuitem", { name: action, exact: true }).click();
}

test("a new run appears in the list by itself, and is cancelled from there", async ({ api, open, page }) => {
  await open("/runs");
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  const { threadId, runId } = await begin(api, "slow", long);
  await row(page, threadId).getByText("running").waitFor();
  await choose(page, threadId, "Cancel");
  await row(page, threadId).getByText("interrupted").waitFor();
  expect((await api.runs.get(threadId, runId)).status).toBe("interrupted");
});

test("two tabs: what is done in one is seen in the other", async ({ api, context, open, page, server }) => {
  const { threadId, runId } = await begin(api, "slow", long, { tags: ["tabs"] });
  await open("/runs?q=tag%3Atabs");
  const other = await context.newPage();
  await other.goto(`${server.console}/threads/${threadId}/runs/${runId}`);
  await other.getByTestId("status").getByText("running", { exact: true }).waitFor();
  await choose(page, threadId, "Cancel");
  await other.getByTestId("status").getByText("interrupted", { exact: true }).waitFor();
  await other.getByRole("button", { name: "More actions" }).click();
  await other.getByRole("menuitem", { name: /^Delete/ }).click();
  await other.getByRole("button", { name: "Delete the run" }).click();
  await page.getByText("No run matches").waitFor();
});

test("a rollback asks first, and takes the run and what it wrote away", async ({ api, open, page }) => {
  const { threadId, runId } = await begin(api, "slow", long);
  await open("/runs?status=running");
  await choose(page, threadId, "Cancel and roll back");
  await page.getByRole("dialog").getByRole("button", { name: "Roll back 1 run" }).click();
  await row(page, threadId).waitFor({ state: "detached" });
  await expect(api.runs.get(threadId, runId)).rejects.toThrow();
});

test("a failed run goes on from where it stopped", async ({ api, open, page }) => {
  const { threadId } = await begin(api, "failing", quick);
  await open("/runs");
  await row(page, threadId).getByText("no such city: Atlantis").waitFor();
  await choose(page, threadId, "Retry from where it stopped");
  await page.getByRole("button", { name: "Open" }).click();
  await page.waitForURL(new RegExp(`/threads/${threadId}/runs/`));
  const [again] = await api.runs.list(threadId);
  // What the first one did is not done again: its steps are in the state once.
  const state = await api.runs.join(threadId, again?.run_id ?? "").catch(() => null);
  expect(JSON.stringify(state)).not.toMatch(/"start".*"start"/);
});

test("filters are in the address, and a reload shows the same", async ({ api, open, page }) => {
  const found = await begin(api, "slow", quick, { tags: ["nightly"], metadata: { customer: 42 } });
  await begin(api, "slow", quick, { tags: ["nightly"] });
  await open("/runs");
  await page.getByRole("searchbox").or(page.locator("[data-filter]")).first().fill("tag:nightly customer=42");
  await page.waitForURL(/q=tag/);
  await page.getByRole("button", { name: "Any status" }).click();
  await page.getByRole("option", { name: "success" }).click();
  await page.keyboard.press("Escape");
  await page.waitForURL(/status=success/);
  for (const reload of [false, true]) {
    if (reload) await page.reload();
    await row(page, found.threadId).getByText("success").waitFor();
    await page.getByText("1 run", { exact: true }).waitFor();
  }
  await page.getByRole("button", { name: "Clear" }).click();
  await page.waitForURL(/\/runs$/);
});

test("words that are not understood are named, and nothing matching says what to do", async ({ open, page }) => {
  await open("/runs?q=banana");
  await page.getByText("“banana” is not understood", { exact: false }).waitFor();
  await open("/runs?q=tag%3Anobody");
  await page.getByText("No run matches").waitFor();
});

test("keys alone: down, select, delete, open", async ({ api, open, page }) => {
  const first = await begin(api, "slow", quick, { tags: ["keys"] });
  const second = await begin(api, "slow", quick, { tags: ["keys"] });
  for (const { threadId, runId } of [first, second]) await api.runs.join(threadId, runId);
  await open("/runs?q=tag%3Akeys");
  await row(page, first.threadId).getByText("success").waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.getByText("1 selected").waitFor();
  await page.keyboard.press("d");
  await page.getByRole("dialog").getByRole("button", { name: "Delete 1 run" }).click();
  await row(page, second.threadId).waitFor({ state: "detached" });
  await page.keyboard.press("g");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(`/threads/${first.threadId}/runs/${first.runId}$`));
});

test("rows are selected with the mouse, one after another and as far as Shift, and all of them are acted on", async ({
  api,
  open,
  page,
}) => {
  const made = [];
  for (let number = 0; number < 5; number += 1) made.push(await begin(api, "slow", quick, { tags: ["mouse"] }));
  for (const { threadId, runId } of made) await api.runs.join(threadId, runId);
  const [, second, , fourth, fifth] = made.map(({ threadId }) => row(page, threadId).getByRole("checkbox"));
  await open("/runs?q=tag%3Amouse");
  await page.getByText("5 runs", { exact: true }).waitFor();
  await fifth?.click();
  await fourth?.click();
  await page.getByText("2 selected").waitFor();
  await second?.click({ modifiers: ["Shift"] });
  await page.getByText("4 selected").waitFor();
  await fifth?.click();
  await page.getByRole("button", { name: "Delete 3" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete 3 runs" }).click();
  await page.getByText("2 runs", { exact: true }).waitFor();
  const left = await Promise.all(made.map(({ threadId }) => api.runs.list(threadId)));
  expect(left.map((runs) => runs.length)).toEqual([1, 0, 0, 0, 1]);
});

test(
  "a hundred thousand threads: a few rows in the document, counted, searched, opened",
  { timeout: 90_000 },
  async ({ open, page, server }) => {
    await seedThreads(server, 100_000);
    await open("/threads");
    await page.getByText("1,000+ threads").waitFor();
    expect(await faults(page)).toEqual([]);
    const most = 60;
    expect(await rows(page).count()).toBeLessThan(most);
    await page.getByRole("grid").hover();
    const last = async () => Number(await rows(page).last().getAttribute("aria-rowindex"));
    const end = Date.now() + 30_000;
    const stood = await longestFrame(page, async () => {
      // Each page of a hundred is asked for when the end of the one before comes into sight.
      while ((await last()) < 300 && Date.now() < end) {
        await page.mouse.wheel(0, 4_000);
        await drawn(page);
      }
    });
    expect(await last()).toBeGreaterThanOrEqual(300);
    expect(stood).toBeLessThan(STILL_MS);
    expect(await rows(page).count()).toBeLessThan(most);
    await page.locator("[data-filter]").first().fill("number=99999");
    await page.getByText("1 thread", { exact: true }).waitFor();
    await rows(page).first().getByText("no messages").click();
    await page.waitForURL(/\/threads\/00000000-0000-0000-0000-0000000186a0$/);
  },
);

test("a thread is made, and deleted after a question", async ({ api, open, page }) => {
  await open("/threads");
  await page.getByRole("button", { name: "New thread" }).click();
  await page.waitForURL(/\/threads\/[0-9a-f-]{36}$/);
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  await open(`/threads?q=${id}`);
  await rows(page).first().getByRole("checkbox").click();
  await page.getByRole("button", { name: "Delete 1" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete 1 thread" }).click();
  await page.getByText("No thread matches").waitFor();
  await expect(api.threads.get(id)).rejects.toThrow();
});
