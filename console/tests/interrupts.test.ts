import { expect, faults, test } from "./support";
import { chat, idle, ran, said, until } from "./support/threads";

test("an agent's action is approved, and its call shows the result", async ({ api, open, page }) => {
  const thread = await ran(api, "clerk", said("one"));
  await open(`/threads/${thread}`);
  const form = page.getByRole("group", { name: "send_mail" });
  await form.getByText("ada@example.org").first().waitFor();
  expect(await faults(page)).toEqual([]);
  await page.getByRole("button", { name: "Answer and go on" }).click();
  await chat(page).getByText("Done. (sent to ada@example.org: Looms)").waitFor();
  await idle(api, thread);
  await chat(page)
    .getByRole("button", { name: /send_mail/ })
    .click();
  await chat(page).getByRole("group", { name: "Result" }).getByText("sent to ada@example.org: Looms").waitFor();
});

test("an agent's action is edited before it is taken", async ({ api, open, page }) => {
  const thread = await ran(api, "clerk", said("one"));
  await open(`/threads/${thread}`);
  const form = page.getByRole("group", { name: "send_mail" });
  await form.getByRole("button", { name: "Edit" }).click();
  await form.getByRole("textbox", { name: "to" }).fill("bob@example.org");
  await page.getByRole("button", { name: "Answer and go on" }).click();
  await chat(page)
    .getByText(/sent to bob@example\.org: Looms/)
    .waitFor();
});

test("two actions are decided at once, one of them against", async ({ api, open, page }) => {
  const thread = await ran(api, "clerk", said("both"));
  await open(`/threads/${thread}`);
  await page.getByRole("group", { name: "delete_file" }).getByRole("button", { name: "Reject" }).click();
  await page.getByRole("textbox", { name: "Reason" }).fill("too early");
  await page.getByRole("button", { name: "Answer and go on" }).click();
  await chat(page)
    .getByText(/^Done\..*too early/)
    .waitFor();
});

test("raw JSON begins as what the form would send, says what is wrong with it, and answers", async ({
  api,
  open,
  page,
}) => {
  const thread = await ran(api, "clerk", said("one"));
  await open(`/threads/${thread}`);
  await page.getByRole("button", { name: "Raw JSON" }).click();
  const box = page.getByRole("textbox", { name: "Answer" });
  expect(JSON.parse(await box.inputValue())).toEqual({ decisions: [{ type: "approve" }] });
  await box.fill("{");
  await page.getByRole("alert").getByText("Not valid JSON").waitFor();
  await box.fill('{"decisions": [{"type": "respond", "message": "it is done already"}]}');
  await page.getByRole("button", { name: "Answer and go on" }).click();
  await chat(page).getByText("Done. (it is done already)").waitFor();
});

test("two questions at once are answered together, each by its id", async ({ api, open, page }) => {
  const thread = await ran(api, "pair", { log: [] });
  await open(`/threads/${thread}`);
  const left = page.getByRole("region", { name: "Question of left" });
  await left.getByText("What is on the left?").waitFor();
  await left.getByRole("textbox", { name: "Answer" }).fill("a loom");
  await page.getByRole("region", { name: "Question of right" }).getByRole("textbox", { name: "Answer" }).fill("12");
  await page.getByRole("button", { name: "Answer all 2 and go on" }).click();
  await idle(api, thread);
  const { values } = await api.threads.getState<{ log: string[] }>(thread);
  expect([...values.log].sort()).toEqual(["end", "left: a loom", "right: 12"]);
  await chat(page).getByText('"right: 12"').waitFor();
});

test("one of two questions is answered, and the other still waits", async ({ api, open, page }) => {
  const thread = await ran(api, "pair", { log: [] });
  await open(`/threads/${thread}`);
  const left = page.getByRole("region", { name: "Question of left" });
  await left.getByRole("textbox", { name: "Answer" }).fill("a loom");
  await left.getByRole("button", { name: "Answer only this" }).click();
  await page.getByRole("button", { name: "Answer and go on" }).waitFor();
  await left.waitFor({ state: "detached" });
  const { tasks } = await api.threads.getState(thread);
  expect(tasks.flatMap((task) => (task.interrupts.length > 0 ? [task.name] : []))).toEqual(["right"]);
});

test("a breakpoint is gone on from", async ({ api, open, page }) => {
  const { thread_id } = await api.threads.create();
  await api.runs.wait(thread_id, "count", { input: { numbers: [] }, interruptBefore: ["two"] });
  await open(`/threads/${thread_id}`);
  await page.getByText("Stopped before two").waitFor();
  await page.getByRole("button", { name: "Continue" }).click();
  await idle(api, thread_id);
  await chat(page).getByText("3", { exact: true }).waitFor();
  expect((await api.threads.getState(thread_id)).values).toEqual({ numbers: [1, 2, 3] });
});

test("a node that failed says why, and is tried again", async ({ api, open, page }) => {
  const { thread_id } = await api.threads.create();
  await api.runs.join(
    thread_id,
    (await api.runs.create(thread_id, "failing", { input: { delay: 0, steps: [] } })).run_id,
  );
  await open(`/threads/${thread_id}`);
  const stopped = page.getByRole("group", { name: "Stopped" });
  await stopped.getByText("no such city: Atlantis").waitFor();
  await stopped.getByRole("button", { name: "Try again" }).click();
  await until(async () => (await api.runs.list(thread_id)).length === 2);
  await until(async () => (await api.threads.get(thread_id)).status === "error");
  await stopped.getByText("no such city: Atlantis").waitFor();
});

test("an input that the graph refuses is told, and another one can be given", async ({ api, open, page }) => {
  const { thread_id } = await api.threads.create();
  await api.runs.join(thread_id, (await api.runs.create(thread_id, "parrot", { input: { messages: 5 } })).run_id);
  await open(`/threads/${thread_id}`);
  await page
    .getByRole("group", { name: "Stopped" })
    .getByText(/Unsupported message type/)
    .waitFor();
  await page.getByRole("textbox", { name: "Message" }).waitFor();
});
