import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import path from "node:path";

import type { Client } from "@langchain/langgraph-sdk";
import { expect, faults, NARROW, test, tooWide, type Page } from "./support";
import { FaultyProxy } from "./support/faultyProxy";

/** A place for each page of the console, by its path in the router, with something to see at it. */
const PLACES: Record<string, (seen: Seen) => string> = {
  runs: () => "/runs",
  threads: () => "/threads",
  "threads/:threadId": ({ thread }) => `/threads/${thread}`,
  "threads/:threadId/runs/:runId": ({ thread, run }) => `/threads/${thread}/runs/${run}`,
  assistants: () => "/assistants",
  "assistants/:assistantId": ({ assistant }) => `/assistants/${assistant}`,
  server: () => "/server",
};

type Seen = { thread: string; run: string; assistant: string };

let seen: Promise<Seen> | null = null;

async function something(api: Client): Promise<Seen> {
  const [assistant] = await api.assistants.search({ limit: 1 });
  const { thread_id: thread } = await api.threads.create();
  const { run_id: run } = await api.runs.create(thread, "slow", { input: { delay: 0, steps: [] } });
  await api.runs.join(thread, run);
  return { thread, run, assistant: assistant?.assistant_id ?? "" };
}

async function settled(page: Page): Promise<void> {
  await page.locator("main h1").first().waitFor();
  await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
}

for (const [name, place] of Object.entries(PLACES)) {
  test(`the page ${name} needs nothing but the server, has no serious fault in light and dark, and fits a narrow screen`, async ({
    api,
    open,
    page,
  }) => {
    seen ??= something(api);
    await open(place(await seen));
    await settled(page);
    expect(await page.title()).toMatch(/ · treadle$/);
    expect(await page.getByText("This page failed").count()).toBe(0);
    await page.emulateMedia({ colorScheme: "light" });
    expect(await faults(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await faults(page, ["color-contrast"]), "dark").toEqual([]);
    await page.setViewportSize(NARROW);
    await expect.poll(() => tooWide(page)).toEqual([]);
  });
}

test("no page is left out above", () => {
  const router = readFileSync(path.resolve(import.meta.dirname, "../src/app/router.tsx"), "utf8");
  expect([...router.matchAll(/ page\("(.+?)"/g)].map(([, place]) => place)).toEqual(Object.keys(PLACES));
});

// tests/console/test_console.py cuts the network for server, browser and tests alike wherever the system lets it.
test.runIf(process.env.CONSOLE_CUT === "1")("the network is cut: all of this happens on the loopback alone", () => {
  expect(Object.keys(networkInterfaces())).toEqual(["lo"]);
});

test("a run is one of the runs, wherever it is come to from", async ({ api, open, page }) => {
  seen ??= something(api);
  const { thread, run } = await seen;
  await open(`/threads/${thread}/runs/${run}`);
  const here = page.getByRole("navigation", { name: "Pages" }).locator("[aria-current=page]");
  await here.getByText("Runs", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Thread", exact: true }).click();
  await here.getByText("Threads", { exact: true }).waitFor();
});

test("the root leads to the runs, and an unknown place says so", async ({ open, page }) => {
  await open("");
  await page.waitForURL(/\/console\/runs$/);
  await open("/nothing/here");
  await page.getByText("Page not found").waitFor();
});

test("? shows the keys, digits go to pages, Escape closes", async ({ open, page }) => {
  await open("/runs");
  await settled(page);
  await page.keyboard.press("?");
  const dialog = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await dialog.getByText("Assistants").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.keyboard.press("4");
  await page.waitForURL(/\/server$/);
});

test("the theme is kept", async ({ open, page }) => {
  await open("/runs");
  const button = page.getByRole("button", { name: "Theme: system" });
  await button.click();
  await page.getByRole("button", { name: "Theme: light" }).click();
  await page.reload();
  await page.getByRole("button", { name: "Theme: dark" }).waitFor();
  expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
});

test("a server that goes away is told, and everything is there again when it is back", async ({
  open,
  page,
  server,
  complaints,
}) => {
  complaints.allow(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 50\d/);
  await open("/runs");
  await settled(page);
  await server.kill();
  await page.getByRole("link", { name: "Server" }).click();
  await page.getByText("The server has not responded").waitFor();
  await server.start();
  await page.getByText("The server has not responded").waitFor({ state: "detached" });
});

test("a slow response is reported and can be retried", async ({ api, page, server }) => {
  const [first, second] = await Promise.all([api.threads.create(), api.threads.create()]);
  const way = await FaultyProxy.to(server.url);
  await page.clock.install();
  await page.goto(`${way.url}/console/threads/${first.thread_id}`);
  await page.getByText("Nothing happened here yet").or(page.getByText("The state is empty")).waitFor();
  await page.getByRole("link", { name: "Threads", exact: true }).first().click();
  const row = page.getByRole("row").filter({ hasText: second.thread_id.slice(-6) });
  await row.waitFor();
  way.hold();
  await row.getByText("no messages").click();
  await page.getByText("Loading thread…").waitFor();
  await page.clock.runFor(21_000);
  await page.getByText("Loading thread is taking unusually long").waitFor();
  await page.getByRole("button", { name: "Try again" }).click();
  way.mend();
  await page.getByText(second.thread_id.slice(-6)).first().waitFor();
  await page.getByRole("log", { name: "Conversation" }).waitFor();
  way.close();
});
