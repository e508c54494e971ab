import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { expect, faults, NARROW, testOn, tooWide, type Page } from "./support";

const TABS = ["Overview", "Workers", "Webhooks", "Crons", "Store", "Settings"];

/** A receiver of webhooks on this machine that refuses until it is told to accept; it keeps the ids it was sent. */
class Receiver {
  url = "";
  accepts = false;
  readonly ids: string[] = [];
  private readonly server = createServer((request, response) => this.answer(request, response));

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
    receiver.url = `http://127.0.0.1:${(receiver.server.address() as AddressInfo).port}/hook`;
    return receiver;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    this.ids.push(String(request.headers["webhook-id"]));
    request.resume();
    response.writeHead(this.accepts ? 204 : 410).end();
  }
}

const it = testOn({ flags: ["--webhook-allow-private"] }).extend<{ receiver: Receiver }>({
  // eslint-disable-next-line no-empty-pattern -- vitest wants the pattern
  receiver: async ({}, use) => {
    const receiver = await Receiver.start();
    await use(receiver);
    receiver.stop();
  },
});

const tab = (page: Page, name: string) => page.getByRole("tab", { name });
/** Whether all of it is between the sides of the window. */
function inSight(element: Element): boolean {
  const { left, right } = element.getBoundingClientRect();
  return left >= 0 && right <= window.innerWidth;
}

const field = (page: Page, name: string) => page.getByRole("dialog").getByLabel(name, { exact: true });

it("every tab has something to say, no serious fault, room on a narrow screen, and stays after a reload", async ({
  api,
  open,
  page,
}) => {
  const { cron_id: cron } = await api.crons.create("slow", { schedule: "30 2 * * *", input: {}, enabled: false });
  await open("/server");
  for (const name of TABS) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await tab(page, name).click();
    await page.getByRole("tabpanel", { name }).waitFor();
    await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
    expect(await faults(page), name).toEqual([]);
    await page.setViewportSize(NARROW);
    await expect.poll(() => tooWide(page), { message: name }).toEqual([]);
  }
  await page.reload();
  await expect.poll(() => tab(page, "Settings").evaluate(inSight), { message: "the tab that is open" }).toBe(true);
  await page.getByRole("tabpanel", { name: "Settings" }).getByText("concurrency", { exact: true }).waitFor();
  await api.crons.delete(cron);
});

it("the overview counts running and pending runs, and names the worker with its lease", async ({ api, open, page }) => {
  const { thread_id: thread } = await api.threads.create();
  const input = { delay: 20, steps: [] };
  const running = await api.runs.create(thread, "slow", { input });
  const waiting = await api.runs.create(thread, "slow", { input, multitaskStrategy: "enqueue" });
  await open("/server");
  const figure = (name: string) =>
    page.getByRole("list", { name: "Figures" }).getByRole("listitem").filter({ hasText: name });
  await figure("Running").getByText("1", { exact: true }).waitFor();
  await figure("Pending").getByText("1", { exact: true }).waitFor();
  await figure("Oldest due")
    .getByText(/^[\d.]+ m?s$/)
    .waitFor();
  await figure("Database")
    .getByText(/^[\d.]+ [kM]B$/)
    .waitFor();
  await page.getByText("another run of its thread").waitFor();
  await tab(page, "Workers").click();
  await page.getByText(/ left$/).waitFor();
  for (const run of [waiting, running]) await api.runs.cancel(thread, run.run_id, true);
  await tab(page, "Overview").click();
  await figure("Running").getByText("0", { exact: true }).waitFor();
});

it("a delivery that was given up is looked at and sent again under the same id", async ({
  api,
  open,
  page,
  receiver,
}) => {
  const { thread_id: thread } = await api.threads.create();
  await api.runs.wait(thread, "slow", { input: { delay: 0, steps: [] }, webhook: receiver.url });
  await open("/server?tab=webhooks");
  await page.getByRole("grid").getByText("failed").waitFor();
  await page.getByRole("grid").getByText(receiver.url).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("410").waitFor();
  receiver.accepts = true;
  await dialog.getByRole("button", { name: "Send again" }).click();
  await dialog.getByText("delivered").waitFor();
  await dialog.getByText("204").waitFor();
  expect(new Set(receiver.ids).size).toBe(1);
  await page.keyboard.press("Escape");
  await page
    .getByRole("radio", { name: "failed" })
    .or(page.getByText("failed", { exact: true }))
    .first()
    .click();
  await page.getByText("Nothing was sent").waitFor();
});

it("an item is put into the store, changed and deleted", async ({ api, open, page }) => {
  await open("/server?tab=store");
  await page.getByText("Nothing is stored here").waitFor();
  await page.getByRole("button", { name: "New item" }).click();
  await field(page, "Namespace").fill("users/ada");
  await field(page, "Key").fill("likes");
  await field(page, "Value").fill('{"looms": tru');
  await page.getByRole("alert").waitFor();
  await field(page, "Value").fill('{"looms": true}');
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("grid").getByText('{"looms":true}').click();
  await field(page, "Value").fill('{"looms": 2}');
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("grid").getByText('{"looms":2}').waitFor();
  expect((await api.store.getItem(["users", "ada"], "likes"))?.value).toEqual({ looms: 2 });
  await page.getByRole("button", { name: "ada", exact: true }).click();
  await page.waitForURL(/prefix=users&prefix=ada/);
  await page.getByRole("grid").getByText('{"looms":2}').click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete the item" }).click();
  await page.getByText("Nothing is stored here").waitFor();
});

it("a cron is made, what is wrong is said at its field, and it is turned off and deleted", async ({
  open,
  page,
  complaints,
}) => {
  complaints.allow(/status of 422/);
  await open("/server?tab=crons");
  await page.getByRole("button", { name: "New cron" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: /Assistant/ }).click();
  await page.getByRole("option", { name: "slow" }).click();
  await field(page, "Schedule").fill("every now and then");
  await dialog.getByRole("button", { name: "Create" }).click();
  await dialog.getByRole("alert").waitFor();
  await field(page, "Schedule").fill("0 9 * * 1-5");
  await field(page, "Time zone").fill("Europe/Berlin");
  await dialog.getByRole("button", { name: "Create" }).click();
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("grid").getByText("Europe/Berlin").waitFor();
  await page.getByRole("button", { name: "Turn off" }).click();
  await page.getByRole("button", { name: "Turn on" }).waitFor();
  await page.getByRole("button", { name: /^Delete cron/ }).click();
  await page.getByRole("button", { name: "Delete the cron" }).click();
  await page.getByText("No crons").waitFor();
});
