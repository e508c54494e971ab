import path from "node:path";

import type { Client } from "@langchain/langgraph-sdk";

import { expect, faults, NARROW, testOn, tooWide, type Page, type Server } from "./support";
import { FaultyProxy } from "./support/faultyProxy";

/** Over the project of the pictures: its graphs have schemas with something in them. */
const test = testOn({ config: path.join(import.meta.dirname, "pictures/langgraph.json") });

const start = (page: Page) => page.getByRole("button", { name: "Start run" });
const field = (page: Page, name: string) => page.getByRole("textbox", { name, exact: true });

/** The request of the latest run of a graph, as the server keeps it. */
async function asked(api: Client, server: Server, graph: string): Promise<Record<string, unknown>> {
  const body = JSON.stringify({ assistant_id: graph, limit: 1, select: ["run_id", "thread_id"] });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${server.url}/runs/search`, { method: "POST", headers, body });
  const [found] = (await response.json()) as { run_id: string; thread_id: string }[];
  if (found === undefined) throw new Error("no run");
  const run = (await api.runs.get(found.thread_id, found.run_id)) as unknown as { kwargs: Record<string, unknown> };
  return { ...run.kwargs, thread_id: found.thread_id };
}

test("a run is started from the form, on a new thread, and watched as it streams", async ({
  api,
  open,
  page,
  server,
}) => {
  await open("/assistants/briefing");
  await field(page, "topic").fill("treadle looms");
  await page.getByLabel("audience").selectOption("executives");
  await field(page, "max_words").fill("150");
  await page.getByRole("button", { name: "Add to sources" }).click();
  await field(page, "url").fill("https://example.org/looms");
  await page.getByRole("textbox", { name: "Tags" }).fill("weekly, looms");
  await page.getByRole("textbox", { name: "Recursion limit" }).fill("40");
  await page.getByText("checkpoints", { exact: true }).click();
  await page.getByLabel("model").selectOption("scripted-small");
  await start(page).click();
  await page.waitForURL(/\/threads\/[0-9a-f-]+\/runs\/[0-9a-f-]+/);
  // It says 70 words, eight in a second.
  await page.getByText("Before the treadle", { exact: false }).first().waitFor({ timeout: 20_000 });
  expect(await page.getByTestId("status").innerText()).toContain("running");
  const request = await asked(api, server, "briefing");
  expect(request).toMatchObject({
    input: {
      topic: "treadle looms",
      audience: "executives",
      max_words: 150,
      publish: true,
      sources: [{ url: "https://example.org/looms", weight: 1 }],
    },
    stream_mode: ["values", "updates", "messages-tuple", "tasks", "checkpoints", "custom"],
    subgraphs: true,
    context: { model: "scripted-small" },
  });
  expect(request.config).toMatchObject({ recursion_limit: 40, tags: ["weekly", "looms"] });
});

test("a conversation is started from the keyboard alone, and goes on on its thread", async ({
  api,
  open,
  page,
  server,
}) => {
  await open("/assistants/intake");
  await page.getByRole("form", { name: "Start a run" }).waitFor();
  await open("/assistants/support");
  const content = page.getByRole("textbox", { name: "Content of messages 1" });
  await content.fill("My loom has a warped beam.");
  await content.press("Control+Enter");
  await page.waitForURL(/\/runs\/[0-9a-f-]+/);
  const first = await asked(api, server, "support");
  expect(first.input).toEqual({ messages: [{ type: "human", content: "My loom has a warped beam." }] });

  await open(`/assistants/support?thread=${String(first.thread_id)}`);
  await content.fill("And another thing.");
  await page
    .getByRole("button", { name: "interrupt" })
    .or(page.getByRole("button", { name: /While another run/ }))
    .first()
    .click();
  await page.getByRole("option", { name: /^interrupt/ }).click();
  await start(page).click();
  await page.waitForURL(new RegExp(`/threads/${String(first.thread_id)}/runs/`));
  expect(await asked(api, server, "support")).toMatchObject({ thread_id: first.thread_id });
});

test("what is wrong stands at its field, and nothing is started", async ({ api, open, page }) => {
  await open("/assistants/briefing");
  const before = (await api.threads.search({ limit: 1000 })).length;
  await field(page, "max_words").fill("12x");
  await page.getByText("Must be a number", { exact: true }).waitFor();
  await field(page, "max_words").fill("12");
  await page.getByText("Must be at least 50").waitFor();
  await page.getByRole("textbox", { name: "Recursion limit" }).fill("none");
  await page.getByText("Must be a whole number, at least 1").waitFor();
  await page.getByRole("textbox", { name: "Webhook" }).fill("example.org");
  expect(await page.getByText("Is required").count()).toBe(0);
  await start(page).click();
  await page.getByText("Is required").waitFor();
  expect(await field(page, "topic").getAttribute("aria-invalid")).toBe("true");
  expect(await faults(page)).toEqual([]);
  await field(page, "max_words").fill("120");
  await field(page, "topic").fill("looms");
  await page.getByRole("textbox", { name: "Recursion limit" }).fill("");
  await start(page).click();
  await page.getByText("Must be an address that begins with").waitFor();
  expect((await api.threads.search({ limit: 1000 })).length).toBe(before);
});

test("what the server refuses stands at its field", async ({ complaints, open, page }) => {
  complaints.allow(/status of 4\d\d/);
  await open("/assistants/intake");
  const webhook = page.getByRole("textbox", { name: "Webhook" });
  await webhook.fill("http://127.0.0.1:99999/");
  await start(page).click();
  await page.getByText("Invalid webhook port 99999").waitFor();
  expect(await webhook.getAttribute("aria-invalid")).toBe("true");
  await webhook.fill("");
  await page.getByText("Invalid webhook port 99999").waitFor({ state: "detached" });
});

test("form and JSON show the same value, and neither loses anything", async ({ open, page }) => {
  await open("/assistants/briefing");
  const way = (name: string) => page.getByRole("group", { name: "Input as" }).getByRole("button", { name });
  const json = page.getByRole("textbox", { name: "Input as JSON" });
  const value = {
    topic: "looms\nand more",
    audience: "everyone",
    max_words: 77,
    sources: [{ url: "https://a.example", weight: 0.5, seen: true }],
    deadline: null,
    publish: false,
    unknown: { deep: [1, null, "x"] },
  };
  await way("JSON").click();
  await json.fill(JSON.stringify(value));
  await way("Form").click();
  expect(await field(page, "topic").inputValue()).toBe(value.topic);
  await page.getByRole("button", { name: "Give deadline a value" }).waitFor();
  await page.getByRole("textbox", { name: "unknown" }).waitFor();
  await way("JSON").click();
  expect(JSON.parse(await json.inputValue())).toEqual(value);

  await way("Form").click();
  await field(page, "max_words").fill("7e");
  await way("JSON").click();
  expect(await json.inputValue()).toContain('"max_words": 7e');
  await way("Form").click();
  expect(await field(page, "max_words").inputValue()).toBe("7e");

  await way("JSON").click();
  await json.fill('{"topic": ');
  await page.getByText(/^Not valid JSON/).waitFor();
  await way("Form").click();
  expect(await json.inputValue()).toBe('{"topic": ');
});

test("subgraphs expand and collapse in the drawing, nodes are buttons, and the URL keeps which", async ({
  open,
  page,
}) => {
  await open("/assistants/briefing?tab=graph");
  const drawing = page.getByRole("group", { name: "Graph of briefing" });
  const judge = drawing.getByRole("button", { name: /^judge\b.*research/ });
  await judge.waitFor();
  await drawing.getByRole("button", { name: "Collapse subgraph research" }).press("Enter");
  await judge.waitFor({ state: "detached" });
  await drawing.getByRole("button", { name: "Expand subgraph research" }).press("Enter");
  await judge.press("Enter");
  expect(new URL(page.url()).searchParams.get("node")).toBe("research:judge");
  await page.reload();
  await page.getByRole("heading", { name: "research:judge" }).waitFor();
  expect(await judge.getAttribute("aria-pressed")).toBe("true");
  await drawing.getByRole("button", { name: "Collapse all subgraphs" }).click();
  await judge.waitFor({ state: "detached" });
  await drawing.getByRole("button", { name: "Lay out left to right" }).click();
  expect(await faults(page)).toEqual([]);
});

test("an assistant is made, changed, compared, put back, copied and deleted", async ({ api, open, page }) => {
  await open("/assistants");
  await page.getByRole("button", { name: "New assistant" }).click();
  await page.getByRole("dialog").getByRole("button", { name: /Graph/ }).click();
  await page.getByRole("option", { name: "briefing" }).click();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("weekly");
  const context = page.getByRole("textbox", { name: "context" });
  await context.fill('{"model": ');
  await page.getByText(/^Not valid JSON/).waitFor();
  await context.fill('{"model": "scripted-large"}');
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("heading", { name: "weekly" }).waitFor();
  const id = page.url().split("/").at(-1) ?? "";

  await page.getByRole("button", { name: "Edit" }).click();
  await context.fill('{"model": "scripted-small"}');
  await page.getByRole("button", { name: "Save as new version" }).click();
  await page.getByText("version 2", { exact: true }).waitFor();

  await open(`/assistants/${id}?tab=versions`);
  await page.getByText("context › model").waitFor();
  await page.getByRole("button", { name: "Make latest" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make latest" }).click();
  await page.getByText("version 1", { exact: true }).waitFor();
  expect(await api.assistants.get(id)).toMatchObject({ version: 1, context: { model: "scripted-large" } });
  expect(await faults(page)).toEqual([]);

  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Copy to a new assistant" }).click();
  await page.getByRole("button", { name: "Create copy" }).click();
  await page.getByRole("heading", { name: "weekly (copy)" }).waitFor();
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete assistant" }).click();
  await page.waitForURL(/\/assistants$/);
  await page.getByRole("link", { name: "weekly", exact: true }).waitFor();
  expect(await page.getByRole("link", { name: "weekly (copy)" }).count()).toBe(0);
});

test("a list of choices that is opened before they are known gets them when they come", async ({ page, server }) => {
  const way = await FaultyProxy.to(server.url);
  await page.goto(`${way.url}/console/assistants`);
  await page.getByRole("link", { name: "briefing" }).waitFor();
  way.hold();
  await page.getByRole("button", { name: "New assistant" }).click();
  await page.getByRole("dialog").getByRole("button", { name: /Graph/ }).click();
  await page.getByText("No options").waitFor();
  way.mend();
  await page.getByRole("option", { name: "briefing" }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /briefing/ })
    .waitFor();
  way.close();
});

test("on a narrow screen every tab of an assistant has room, and no serious fault", async ({ api, open, page }) => {
  const { thread_id: thread } = await api.threads.create();
  await api.runs.wait(thread, "intake", { input: { seconds: 0 } });
  await page.setViewportSize(NARROW);
  await open("/assistants/intake");
  for (const name of ["Start", "Graph", "Schemas", "Versions", "Runs"]) {
    await page.getByRole("tab", { name }).click();
    await page.getByRole("tabpanel", { name }).waitFor();
    await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
    expect(await faults(page), name).toEqual([]);
    expect(await tooWide(page), name).toEqual([]);
  }
});

test("schemas, the latest runs and the same request for elsewhere", async ({ api, open, page }) => {
  const thread = await api.threads.create();
  const run = await api.runs.create(thread.thread_id, "intake", { input: { seconds: 0 } });
  await api.runs.join(thread.thread_id, run.run_id);
  await open("/assistants/briefing?tab=schemas");
  await page.getByRole("button", { name: /^sources/ }).click();
  await page.getByText("each item").click();
  await page.getByText("How much to believe it.").waitFor();
  await page.getByRole("button", { name: "context" }).click();
  await page.getByText("temperature").waitFor();
  expect(await faults(page)).toEqual([]);

  await open("/assistants/intake?tab=runs");
  await page
    .getByRole("row")
    .filter({ hasText: run.run_id.slice(-6) })
    .getByText("success")
    .click();
  await page.waitForURL(new RegExp(run.run_id));

  await open("/assistants/intake");
  await page.getByRole("textbox", { name: "file" }).fill("it's.csv");
  const request = page.getByRole("region", { name: "The same request" });
  await request.getByText(`"file": "it'\\''s.csv"`).waitFor();
  await request.getByRole("button", { name: "Python" }).click();
  await request.getByText("with Client(").waitFor();
});
