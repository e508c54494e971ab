import { Client } from "@langchain/langgraph-sdk";
import { test as base, expect } from "vitest";

import { Complaints, launch, openContext, type Browser, type BrowserContext, type Page } from "./browser";
import { startDevServer } from "./devServer";
import { Server, type ServerOptions } from "./server";

export { faults } from "./axe";
export { Complaints, launch, openContext, type Browser, type BrowserContext, type Page } from "./browser";
export { drawn, longestFrame } from "./frames";
export { NARROW, tooWide } from "./narrow";
export { bounded, GRAPHS, Server } from "./server";
export { expect };

type Fixtures = {
  /** One for the file, over console/tests/graphs. For another: `testOn({config, flags, env})`, or Server.start(). */
  server: Server;
  /** One for the file. */
  browser: Browser;
  complaints: Complaints;
  context: BrowserContext;
  page: Page;
  /** The SDK's client of `server`, for what a test needs to be there. */
  api: Client;
  /** Opens a place of the console: `await open("/runs?status=error")`. */
  open: (place: string) => Promise<Page>;
};

/** Tests in a browser, over a server of these options. One fails also when the page logged an error, broke its own policy or asked for something outside. */
export const testOn = (options: ServerOptions) =>
  base.extend<Fixtures>({
    server: [
      // eslint-disable-next-line no-empty-pattern -- vitest wants the pattern
      async ({}, use) => {
        const server = await Server.start(options);
        const development = await startDevServer(server);
        await use(server);
        await development?.close();
        await server.remove();
      },
      { scope: "file" },
    ],
    browser: [
      // eslint-disable-next-line no-empty-pattern -- vitest wants the pattern
      async ({}, use) => {
        const browser = await launch();
        await use(browser);
        await browser.close();
      },
      { scope: "file" },
    ],
    // eslint-disable-next-line no-empty-pattern -- vitest wants the pattern
    complaints: async ({}, use) => {
      const complaints = new Complaints();
      await use(complaints);
      expect(complaints.left, "what the browser complained of").toEqual([]);
    },
    context: async ({ browser, complaints }, use) => {
      const context = await openContext(browser, complaints);
      await use(context);
      await context.close();
    },
    page: async ({ context }, use) => {
      await use(await context.newPage());
    },
    api: async ({ server }, use) => {
      await use(new Client({ apiUrl: server.url, apiKey: null }));
    },
    open: async ({ page, server }, use) => {
      await use(async (place) => {
        // Vite's own server does not know its base without the slash.
        await page.goto(`${server.console}${place === "" && process.env.CONSOLE_DEV ? "/" : place}`);
        return page;
      });
    },
  });

/** A test in a browser, over the server of console/tests/graphs. */
export const test = testOn({});
