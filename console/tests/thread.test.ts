import { expect, faults, NARROW, test, tooWide } from "./support";
import { chat, idle, ran, rows, said, texts, until } from "./support/threads";

test("a message is sent with Enter and its answer comes token by token", async ({ api, open, page }) => {
  const { thread_id } = await api.threads.create({ graphId: "parrot" });
  await open(`/threads/${thread_id}`);
  const box = page.getByRole("textbox", { name: "Message" });
  await box.fill("60 words");
  await box.press("Shift+Enter");
  expect(await box.inputValue()).toBe("60 words\n");
  await box.fill("60 words");
  await box.press("Enter");
  await chat(page).getByText("60 words", { exact: true }).first().waitFor();
  // What is said grows while the run goes on.
  await chat(page).getByText(/word3/).waitFor();
  expect(await chat(page).innerText()).not.toContain("word59");
  expect(await page.getByRole("button", { name: "Stop" }).count()).toBe(1);
  await chat(page)
    .getByText(/word59/)
    .waitFor();
  await idle(api, thread_id);
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
  expect(await box.inputValue()).toBe("");
  expect(await texts(api, thread_id)).toHaveLength(2);
});

test("the server is killed while it answers: the chat says so, and the answer comes whole", async ({
  api,
  complaints,
  open,
  page,
  server,
}) => {
  complaints.allow(/ERR_|status of 50\d/);
  const { thread_id } = await api.threads.create({ graphId: "parrot" });
  await open(`/threads/${thread_id}`);
  await page.getByRole("textbox", { name: "Message" }).fill("90 words");
  await page.keyboard.press("Enter");
  await chat(page).getByText(/word3/).waitFor();
  await server.kill();
  await page
    .getByText("Reconnecting")
    .first()
    .waitFor()
    // Whatever came of it, the tests after this one need the server.
    .finally(() => server.start());
  await chat(page)
    .getByText(/word89/)
    .waitFor();
  await idle(api, thread_id);
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
  const said = await chat(page).innerText();
  expect(said.match(/\bword\d+\b/g)).toEqual(Array.from({ length: 90 }, (_, number) => `word${number}`));
  expect(await texts(api, thread_id)).toHaveLength(2);
});

test("a run that was started elsewhere is seen as it goes", async ({ api, open, page }) => {
  const thread = await ran(api, "parrot", said("hello"));
  await open(`/threads/${thread}`);
  await chat(page).getByText("You said:").waitFor();
  await api.runs.create(thread, "parrot", { input: said("80 words"), streamMode: ["messages-tuple"] });
  await chat(page).getByText(/word4/).waitFor();
  expect(await chat(page).innerText()).not.toContain("word79");
  await chat(page)
    .getByText(/word79/)
    .waitFor();
});

test("a second message with interrupt stops the run that goes on", async ({ api, open, page }) => {
  const { thread_id } = await api.threads.create({ graphId: "parrot" });
  await open(`/threads/${thread_id}`);
  const box = page.getByRole("textbox", { name: "Message" });
  await box.fill("900 words");
  await box.press("Enter");
  await chat(page).getByText(/word2/).waitFor();
  await page.getByRole("button", { name: /enqueue/ }).click();
  await page.getByRole("option", { name: /^interrupt/ }).click();
  await box.fill("stop");
  await box.press("Enter");
  await chat(page).getByText("You said: stop").waitFor();
  await idle(api, thread_id);
  const runs = await api.runs.list(thread_id);
  expect(runs.map((run) => [run.status, run.multitask_strategy])).toEqual([
    ["success", "interrupt"],
    ["interrupted", "enqueue"],
  ]);
});

test("a fork from a checkpoint is a branch of its own", async ({ api, open, page }) => {
  const thread = await ran(api, "count", { numbers: [0], note: "first" });
  await open(`/threads/${thread}`);
  await rows(page).first().waitFor();
  expect(await rows(page).count()).toBe(5);
  await rows(page).filter({ hasText: "one → two" }).click();
  await page.waitForURL(/at=/);
  await page.getByRole("button", { name: "Run with new input" }).click();
  const dialog = page.getByRole("dialog", { name: "Run from this checkpoint" });
  await dialog.getByRole("textbox", { name: "Input" }).fill('{"numbers": [10], "note": "second"}');
  await dialog.getByRole("button", { name: "Run from here" }).click();
  await page.getByText("2 branches").waitFor();
  await idle(api, thread);
  await until(async () => (await rows(page).count()) === 10);
  const lanes = await rows(page).evaluateAll((all) => all.map((row) => Number((row as HTMLElement).dataset.lane)));
  expect(new Set(lanes)).toEqual(new Set([0, 1]));
  // Both ends compared: the fork has a number of its own.
  await page.getByRole("checkbox", { name: "Compare two" }).click();
  await rows(page).first().click();
  const changes = page.getByRole("region", { name: "Difference" });
  await changes.getByText("note", { exact: true }).waitFor();
  expect(await faults(page)).toEqual([]);
  await page.reload();
  await changes.getByText("note", { exact: true }).waitFor();
});

test("a checkpoint is replayed", async ({ api, open, page }) => {
  const thread = await ran(api, "count", { numbers: [0] });
  await open(`/threads/${thread}`);
  await rows(page).filter({ hasText: "two → three" }).click();
  await page.getByRole("button", { name: "Replay from here" }).click();
  await page.getByText("2 branches").waitFor();
  await idle(api, thread);
  expect((await api.threads.getState(thread)).values).toMatchObject({ numbers: [0, 1, 2, 3] });
});

test("a state is edited and the run resumed from it", async ({ api, open, page }) => {
  const { thread_id } = await api.threads.create();
  await api.runs.wait(thread_id, "count", { input: { numbers: [5], note: "old" }, interruptBefore: ["three"] });
  await open(`/threads/${thread_id}`);
  await page.getByRole("button", { name: "Edit state" }).click();
  const dialog = page.getByRole("dialog", { name: "Edit the state" });
  const box = dialog.getByRole("textbox", { name: "State" });
  expect(JSON.parse(await box.inputValue())).toEqual({ numbers: [5, 1, 2], note: "old" });
  await box.fill('{"numbers": [5, 1, 2], "note": "new"}');
  await dialog.getByText("This will be written").waitFor();
  await dialog.getByRole("button", { name: "Save and resume" }).click();
  await dialog.waitFor({ state: "detached" });
  await idle(api, thread_id);
  expect((await api.threads.getState(thread_id)).values).toEqual({ numbers: [5, 1, 2, 3], note: "new" });
  await rows(page).filter({ hasText: "edited state" }).waitFor();
});

test("a message of the state is replaced by its id", async ({ api, open, page }) => {
  const thread = await ran(api, "parrot", said("hello"));
  await open(`/threads/${thread}?tab=state`);
  await page.getByRole("button", { name: "Edit state" }).click();
  const dialog = page.getByRole("dialog", { name: "Edit the state" });
  const box = dialog.getByRole("textbox", { name: "State" });
  await box.fill((await box.inputValue()).replace("You said: **hello**", "I heard nothing."));
  await dialog.getByRole("button", { name: "Save", exact: true }).click();
  await chat(page).getByText("I heard nothing.").waitFor();
  expect(await texts(api, thread)).toEqual(["hello", "I heard nothing."]);
});

test("what a subagent said is in its call, as it talks and long after", async ({ api, open, page }) => {
  const { thread_id } = await api.threads.create({ graphId: "team" });
  await open(`/threads/${thread_id}`);
  await page.getByRole("textbox", { name: "Message" }).fill("How old is it?");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Subagent researcher" }).getByText("Let me look that up.").waitFor();
  await chat(page)
    .getByText(/^The researcher says/)
    .waitFor();
  await idle(api, thread_id);
  await page.reload();
  await chat(page)
    .getByRole("button", { name: /research/ })
    .click();
  const inner = page.getByRole("region", { name: "Subagent" });
  await inner.getByText("Let me look that up.").waitFor();
  await inner.getByRole("button", { name: /look_up/ }).waitFor();
  expect(await faults(page)).toEqual([]);
});

test("a subgraph's checkpoints open", async ({ api, open, page }) => {
  const thread = await ran(api, "nested", { delay: 0, steps: [] });
  await open(`/threads/${thread}`);
  await rows(page).filter({ hasText: "→ research" }).click();
  await page.getByRole("button", { name: "Open subgraph" }).click();
  await rows(page).filter({ hasText: "search → read" }).waitFor();
  await page.getByRole("button", { name: "Back from research" }).click();
  await rows(page).filter({ hasText: "→ research" }).waitFor();
});

test("pictures, thoughts and files are shown, and nothing of theirs is fetched", async ({ api, open, page }) => {
  const thread = await ran(api, "media", said("show"));
  await open(`/threads/${thread}`);
  await chat(page).getByRole("img", { name: "image" }).waitFor();
  await chat(page).getByText("Reasoning").click();
  await chat(page).getByText("A picture says more than words.").waitFor();
  await chat(page).getByText("print('<b>no html</b>')").waitFor();
  await chat(page).getByRole("link", { name: "file, application/pdf" }).waitFor();
  expect(await faults(page)).toEqual([]);
});

test("on a narrow screen every part of a thread has a tab, room, and no serious fault", async ({ api, open, page }) => {
  const thread = await ran(api, "clerk", said("both"));
  await page.setViewportSize(NARROW);
  await open(`/threads/${thread}`);
  await page.getByRole("group", { name: "delete_file", exact: true }).waitFor();
  for (const part of ["Chat", "History", "State", "Runs", "About"]) {
    await page.getByRole("tab", { name: part }).click();
    await page.getByRole("tabpanel", { name: part }).waitFor();
    await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
    expect(await faults(page), part).toEqual([]);
    expect(await tooWide(page), part).toEqual([]);
  }
});

test("a thread is copied, its metadata changed, and then deleted", async ({ api, open, page }) => {
  const thread = await ran(api, "count", { numbers: [0] });
  await open(`/threads/${thread}?tab=about`);
  await page.getByText(/^Storage: /).waitFor();
  await page.getByRole("button", { name: "Edit metadata" }).click();
  await page.getByRole("textbox", { name: "Metadata" }).fill('{"graph_id": "count", "colour": "blue"}');
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Edit metadata" }).waitFor();
  expect((await api.threads.get(thread)).metadata).toMatchObject({ colour: "blue" });
  await page.getByRole("button", { name: "Actions on the thread" }).click();
  await page.getByRole("menuitem", { name: "Copy the thread" }).click();
  await page.waitForURL((url) => !url.pathname.includes(thread));
  await page.getByRole("button", { name: "Actions on the thread" }).click();
  await page.getByRole("menuitem", { name: "Delete the thread" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete the thread" }).click();
  await page.waitForURL(/\/threads$/);
  expect((await api.threads.search({ metadata: { colour: "blue" } })).map((each) => each.thread_id)).toEqual([thread]);
});

test("the runs of a thread lead to their pages, and a missing thread is reported", async ({
  api,
  open,
  page,
  complaints,
}) => {
  complaints.allow(/404/);
  const thread = await ran(api, "count", { numbers: [0] });
  await open(`/threads/${thread}?tab=runs`);
  await page.getByRole("list", { name: "Runs" }).getByRole("link").click();
  await page.waitForURL(/\/runs\/[0-9a-f-]{36}/);
  await open("/threads/00000000-0000-4000-8000-000000000000");
  await page.getByRole("alert").getByText("Failed to load thread").waitFor();
});
