import path from "node:path";

import { expect, faults, testOn, type Page } from "./support";

const AUTH = path.resolve(import.meta.dirname, "../../tests/auth/project/langgraph.json");

/** Its server lets in whoever says a name: `Bearer ann`. */
const test = testOn({ config: AUTH });

async function signIn(page: Page, token: string): Promise<void> {
  const dialog = page.getByRole("dialog", { name: "Sign in" });
  await dialog.getByLabel("Token").fill(token);
  await dialog.getByRole("button", { name: "Sign in" }).click();
}

test("who is not known is asked, and then sees what is theirs", async ({ open, page, server, complaints }) => {
  complaints.allow(/status of 401/);
  await fetch(`${server.url}/threads`, {
    method: "POST",
    headers: { authorization: "Bearer ann", "content-type": "application/json" },
    body: JSON.stringify({ metadata: { topic: "warp" } }),
  });
  await open("/threads");
  const dialog = page.getByRole("dialog", { name: "Sign in" });
  await dialog.getByText("Who are you?").waitFor();
  expect(await faults(page)).toEqual([]);
  await page.keyboard.press("Escape");
  expect(await dialog.isVisible()).toBe(true);

  await signIn(page, "ben");
  await dialog.waitFor({ state: "detached" });
  await page.getByText("No threads").first().waitFor();

  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, "ann");
  await page.getByText("topic=warp").waitFor();
  await page.reload();
  await page.getByText("topic=warp").waitFor();
});

test("a refused token is asked for again, and another header can be used", async ({ open, page, complaints }) => {
  complaints.allow(/status of 401/);
  await open("/runs");
  const dialog = page.getByRole("dialog", { name: "Sign in" });
  await dialog.getByRole("button", { name: "x-api-key" }).click();
  await dialog.getByLabel("Value").fill("no key of this server");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.getByText("Who are you?").waitFor();

  await dialog.getByRole("button", { name: "Other header" }).click();
  await dialog.getByLabel("Header").fill("Authorization");
  await dialog.getByLabel("Value").fill("Bearer ann");
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.waitFor({ state: "detached" });
});

test("what was entered stays in its tab and goes nowhere but to the server", async ({
  context,
  open,
  page,
  complaints,
}) => {
  complaints.allow(/status of 401/);
  await open("/runs");
  await signIn(page, "ann");
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  const kept = await page.evaluate(() => ({
    local: JSON.stringify(localStorage),
    session: JSON.stringify(sessionStorage),
    cookie: document.cookie,
    address: location.href,
  }));
  expect(kept.session).toContain("Bearer ann");
  expect(kept.local + kept.cookie + kept.address).not.toContain("ann");

  const other = await context.newPage();
  await other.goto(page.url());
  await other.getByRole("dialog", { name: "Sign in" }).waitFor();
});
