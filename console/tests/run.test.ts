import { writeFileSync } from "node:fs";
import path from "node:path";

import type { Client, StreamMode } from "@langchain/langgraph-sdk";

import { drawn, expect, faults, longestFrame, test, tooWide, type Page, type Server } from "./support";
import { FaultyProxy } from "./support/faultyProxy";

const ALL: StreamMode[] = ["values", "updates", "tasks", "messages-tuple", "custom", "events"];

type Made = { place: string; threadId: string; runId: string };

async function begin(api: Client, graph: string, input: object, modes: StreamMode[] = ALL): Promise<Made> {
  const { thread_id: threadId } = await api.threads.create();
  const run = await api.runs.create(threadId, graph, {
    input: input as Record<string, unknown>,
    streamMode: modes,
    streamSubgraphs: true,
  });
  return { place: `/threads/${threadId}/runs/${run.run_id}`, threadId, runId: run.run_id };
}

let gates = 0;

/** A run that stops in a node until it is released. */
async function held(api: Client, server: Server, graph: string, hold: string): Promise<Made & { release: () => void }> {
  const gate = path.join(server.data, `gate-${(gates += 1)}`);
  const run = await begin(api, graph, { delay: 0.05, steps: [], hold, gate });
  return { ...run, release: () => writeFileSync(gate, "") };
}

const slow = (api: Client, delay: number) => begin(api, "slow", { delay, steps: [] });

/** The run's log as the server has it: the event's ids, until it ends. */
async function log(server: Server, { place }: Made): Promise<string[]> {
  const headers = { "last-event-id": "0", "treadle-events": "1" };
  const response = await fetch(`${server.url}${place}/stream`, { headers, signal: AbortSignal.timeout(30_000) });
  return [...(await response.text()).matchAll(/^id: (.*)$/gm)].map(([, id]) => (id ?? "").trim());
}

const status = (page: Page, text: string) => page.getByTestId("status").getByText(text, { exact: true }).waitFor();

/** How many events the page says it has, once it has them all. */
async function counted(page: Page): Promise<number> {
  await page.getByText("at the end", { exact: true }).waitFor();
  return countedNow(page);
}

async function countedNow(page: Page): Promise<number> {
  const text = await page.getByTestId("position").innerText();
  return Number(/\/ ([\d,]+) events/.exec(text)?.[1]?.replaceAll(",", "") ?? NaN);
}

const spans = (page: Page) => page.getByRole("list", { name: "Spans" }).getByRole("listitem");

test("a run is watched as it streams: its nodes one after another, then its end", async ({
  api,
  open,
  page,
  server,
}) => {
  const run = await held(api, server, "nested", "search");
  await open(run.place);
  await status(page, "running");
  await page.getByText("live", { exact: true }).waitFor();
  await page.getByRole("button", { name: /^search .*running, in research/ }).waitFor();
  run.release();
  await status(page, "success");
  const names = await spans(page).getByRole("button", { name: /^\S+$/ }).allInnerTexts();
  expect(names.map((name) => name.trim())).toEqual([
    "plan",
    "research",
    "search",
    "read",
    "judge",
    "left",
    "right",
    "write",
  ]);
  expect(await counted(page)).toBe((await log(server, run)).length);
  await page.getByRole("tab", { name: "State" }).click();
  await page.getByText('"publish"').or(page.getByText('"write"')).first().waitFor();
});

test("an agent's messages and tool calls stream in", async ({ api, open, page }) => {
  const run = await begin(api, "agent", { messages: [{ role: "user", content: "How is Berlin?" }] });
  await open(run.place);
  const messages = page.getByRole("group", { name: "Messages" });
  await messages.getByText("How is Berlin?").waitFor();
  await messages.getByText("population").first().waitFor();
  await messages.getByText(/3\.7 million people, and it is 18 degrees/).waitFor();
  await spans(page).filter({ hasText: "weather" }).first().waitFor();
  await status(page, "success");
  await page.getByRole("group", { name: "Graph of the run" }).getByText("×2", { exact: true }).waitFor();
});

test("the server is killed in mid-run: the page says so, and the run goes on without loss", async ({
  api,
  complaints,
  open,
  page,
  server,
}) => {
  complaints.allow(/ERR_|status of 50\d/);
  const run = await held(api, server, "slow", "rank");
  await open(run.place);
  await spans(page).filter({ hasText: "rank" }).first().waitFor();
  await server.kill();
  const before = await page
    .getByText("Reconnecting")
    .first()
    .waitFor()
    .then(() => countedNow(page))
    // Whatever came of it, the tests after this one need the server.
    .finally(() => server.start());
  await page.getByText("attempt 2", { exact: true }).first().waitFor();
  await page.getByText("Reconnecting").waitFor({ state: "detached" });
  run.release();
  await status(page, "success");
  const all = await log(server, run);
  expect(await counted(page)).toBe(all.length);
  expect(all.length).toBeGreaterThan(before);
  expect(all.map((id) => Number(id.split("-")[1]))).toEqual(all.map((_, index) => index + 1));
});

test("a reload in mid-run reads all of it again", async ({ api, open, page, server }) => {
  const run = await held(api, server, "slow", "rank");
  await open(run.place);
  await spans(page).filter({ hasText: "rank" }).first().waitFor();
  await page.reload();
  await spans(page).filter({ hasText: "fetch" }).first().waitFor();
  run.release();
  await status(page, "success");
  expect(await counted(page)).toBe((await log(server, run)).length);
});

test("two tabs see the same", async ({ api, context, open, page, server }) => {
  const run = await slow(api, 0.25);
  const other = await context.newPage();
  await Promise.all([open(run.place), other.goto(`${server.console}${run.place}`)]);
  await Promise.all([status(page, "success"), status(other, "success")]);
  await Promise.all([counted(page), counted(other)]);
  const texts = await Promise.all([page, other].map((tab) => tab.getByTestId("position").innerText()));
  expect(texts[0]).toBe(texts[1]);
  expect(await counted(page)).toBe((await log(server, run)).length);
});

test("a cut connection is made anew where it was", async ({ api, complaints, page, server }) => {
  complaints.allow(/ERR_/);
  const way = await FaultyProxy.to(server.url);
  const run = await held(api, server, "slow", "rank");
  await page.goto(`${way.url}/console${run.place}`);
  await spans(page).filter({ hasText: "rank" }).first().waitFor();
  way.cut();
  await page.getByText("Reconnecting").first().waitFor();
  // What happens meanwhile is in the log.
  run.release();
  await api.runs.join(run.threadId, run.runId);
  way.mend();
  await status(page, "success");
  expect(await counted(page)).toBe((await log(server, run)).length);
  way.close();
});

test("10,000 events are all counted, few are in the document, and filters find what they name", async ({
  api,
  open,
  page,
}) => {
  const run = await begin(api, "many", { count: 10_000 }, ["custom", "values"]);
  await open(`${run.place}?view=events`);
  await status(page, "success");
  expect(await counted(page)).toBeGreaterThan(10_000);
  expect(await page.locator("*").count()).toBeLessThan(2000);
  const stood = await longestFrame(page, async () => {
    await page.getByRole("list", { name: "Events" }).hover();
    for (let turn = 0; turn < 20; turn += 1) {
      await page.mouse.wheel(0, 5_000);
      await drawn(page);
    }
    await page.getByRole("slider", { name: "Time in the run" }).focus();
    for (const key of ["Home", "ArrowRight", "PageUp", "End"]) await page.keyboard.press(key);
  });
  expect(stood, "it stood still").toBeLessThan(1_000);
  await page.getByRole("searchbox", { name: "Text" }).fill('"number":9876,');
  await page
    .getByTestId("matches")
    .getByText(/^1 of /)
    .waitFor();
  expect(page.url()).toContain("q=");
  await page
    .getByRole("button", { name: /custom/ })
    .last()
    .click();
  await page.getByRole("listitem").getByText("9876", { exact: true }).waitFor();
  await page.getByRole("button", { name: "All modes" }).click();
  await page.getByRole("option", { name: /^values/ }).click();
  await page.keyboard.press("Escape");
  await page.getByTestId("matches").getByText(/^0 of/).waitFor();
  await page.getByRole("searchbox", { name: "Text" }).fill("");
  await page.getByTestId("matches").getByText(/^2 of/).waitFor();
  await page.getByRole("searchbox", { name: "Text" }).fill('"done":10000');
  await page.waitForURL(/mode=values/);
  await page.reload();
  await page
    .getByTestId("matches")
    .getByText(/^1 of /)
    .waitFor();
});

test("a finished run replays: every view is as of the slider", async ({ api, open, page }) => {
  const run = await slow(api, 0.1);
  await api.runs.join(run.threadId, run.runId);
  await open(`${run.place}?view=state`);
  await page.getByText('"publish"').waitFor();
  const slider = page.getByRole("slider", { name: "Time in the run" });
  await slider.focus();
  await page.keyboard.press("Home");
  await page.getByText('"publish"').waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelectorAll("[aria-label=Spans] li").length < 2);
  await page.getByRole("button", { name: "One event on" }).click();
  await page
    .getByTestId("position")
    .getByText(/^\d+ \/ \d+ events$/)
    .waitFor();
  await page.getByRole("button", { name: "Play" }).click();
  await page.getByText('"publish"').waitFor();
  await page.getByRole("button", { name: "To the end" }).click();
  await page.getByText("at the end").waitFor();
  expect(await spans(page).count()).toBe(6);
});

test("a node's failure is told with what it was given, and the run is retried", async ({ api, open, page }) => {
  const run = await begin(api, "failing", { delay: 0.05, steps: [] });
  await open(`${run.place}?view=details`);
  await status(page, "error");
  await page.getByRole("heading", { name: "Error: ValueError" }).waitFor();
  await spans(page).filter({ hasText: "fall" }).getByRole("button").first().click();
  const selected = page.getByRole("region", { name: "Selected: fall" });
  await selected.getByText("ValueError: no such city: Atlantis").waitFor();
  await selected.getByText("input:").waitFor();
  expect(page.url()).toContain("span=");
  await page.getByRole("button", { name: "Retry" }).click();
  await page.waitForURL((url) => !url.pathname.includes(run.runId));
  await status(page, "error");
  await page.getByRole("tab", { name: "Details" }).click();
  await page.getByRole("link", { name: run.runId }).waitFor();
});

test("a run is cancelled, asked for again, and deleted", async ({ api, complaints, open, page, server }) => {
  // Its feed or a poll may ask for it just when it is gone.
  complaints.allow(/status of 404/);
  const run = await held(api, server, "slow", "rank");
  await open(run.place);
  await page.getByRole("button", { name: "Cancel" }).click();
  await status(page, "interrupted");
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem", { name: /Run again/ }).click();
  await page.waitForURL((url) => !url.pathname.includes(run.runId));
  await status(page, "running");
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem", { name: /^Delete/ }).click();
  await page.getByRole("button", { name: "Delete the run" }).click();
  await page.waitForURL(/\/threads\/[^/]+$/);
});

test("a log without tasks is helped out by the thread's history", async ({ api, open, page }) => {
  const run = await begin(api, "slow", { delay: 0.05, steps: [] }, ["values"]);
  await open(run.place);
  await status(page, "success");
  await spans(page).filter({ hasText: "publish" }).first().waitFor();
  expect(await spans(page).count()).toBe(6);
});

test("a run that is not there says so", async ({ api, complaints, open, page }) => {
  complaints.allow(/status of 404/);
  const { thread_id: threadId } = await api.threads.create();
  await open(`/threads/${threadId}/runs/01a205b6-0000-7000-8000-000000000000`);
  await page.getByText("There is no such run").waitFor();
});

test.for([
  { width: 1440, views: ["Messages", "State", "Events", "Details"] },
  { width: 360, views: ["Graph", "Timeline", "Messages", "State", "Events", "Details"] },
])("no view has a serious fault, $width wide", async ({ width, views }, { api, open, page }) => {
  const run = await begin(api, "agent", { messages: [{ role: "user", content: "How is Berlin?" }] });
  await api.runs.join(run.threadId, run.runId);
  await page.setViewportSize({ width, height: 800 });
  await open(run.place);
  await counted(page);
  for (const [index, view] of views.entries()) {
    await page.getByRole("tab", { name: view }).click();
    await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
    const theme = index % 2 === 0 ? "light" : "dark";
    await page.evaluate((chosen) => (document.documentElement.dataset.theme = chosen), theme);
    expect(await faults(page), `${view}, ${theme}`).toEqual([]);
    expect(await tooWide(page), view).toEqual([]);
  }
});
