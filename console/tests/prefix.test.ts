import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect, Server, test, type Page } from "./support";

const GRAPH = `
from typing import TypedDict
from langgraph.graph import END, START, StateGraph

class State(TypedDict, total=False):
    text: str

echo = StateGraph(State).add_node("echo", lambda state: state).add_edge(START, "echo").add_edge("echo", END).compile()
`;

async function project(http: object): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "treadle-prefix-"));
  await writeFile(path.join(directory, "graph.py"), GRAPH);
  const config = path.join(directory, "langgraph.json");
  await writeFile(config, JSON.stringify({ dependencies: ["."], graphs: { echo: "./graph.py:echo" }, http }));
  return config;
}

/** Passes `/tools/treadle/…` on as `/…`, as a reverse proxy would, and knows nothing else. */
async function strippingProxy(upstream: string): Promise<http.Server> {
  const proxy = http.createServer((request, response) => {
    const inside = request.url?.startsWith("/tools/treadle/") ?? false;
    if (!inside) {
      response.writeHead(404).end("outside of the prefix");
      return;
    }
    const { hostname, port } = new URL(upstream);
    // A connection for each: one that is kept may be closed by the server just as it is used again.
    const target = { hostname, port, method: request.method, headers: request.headers, agent: false };
    const passed = http.request({ ...target, path: request.url?.slice("/tools/treadle".length) }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
    request.pipe(passed);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return proxy;
}

function origin(server: http.Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no address");
  return `http://127.0.0.1:${address.port}`;
}

/** Opens a deep place at once, goes to others by links, and reloads there. */
async function walk(page: Page, console: string): Promise<void> {
  await page.goto(`${console}/assistants`);
  await page.getByRole("link", { name: "echo" }).first().click();
  await page.getByRole("heading", { name: "echo" }).waitFor();
  expect(page.url()).toContain(`${console}/assistants/`);
  await page.reload();
  await page.getByRole("heading", { name: "echo" }).waitFor();
  await page.getByRole("link", { name: "Server", exact: true }).click();
  await page.getByRole("tab", { name: "Overview" }).waitFor();
  expect(page.url()).toBe(`${console}/server`);
}

/** Nothing is on its way any more that the end of a server would cut off. */
async function leave(page: Page): Promise<void> {
  await page.goto("about:blank");
}

test("everything works under the prefix of the project", async ({ page }) => {
  const config = await project({ mount_prefix: "/agents/api" });
  const server = await Server.start({ config });
  try {
    await walk(page, `${server.url}/agents/api/console`);
  } finally {
    await leave(page);
    await server.remove();
    await rm(path.dirname(config), { recursive: true });
  }
});

test("everything works behind a proxy that takes a prefix off", async ({ page, server }) => {
  const proxy = await strippingProxy(server.url);
  try {
    const console = `${origin(proxy)}/tools/treadle/console`;
    await page.goto(`${console}/assistants`);
    await page.getByRole("link", { name: "slow" }).first().click();
    await page.getByRole("heading", { name: "slow" }).waitFor();
    await page.getByRole("link", { name: "Server", exact: true }).click();
    await page.getByRole("tab", { name: "Overview" }).waitFor();
    expect(page.url()).toBe(`${console}/server`);
  } finally {
    await leave(page);
    proxy.closeAllConnections();
    proxy.close();
  }
});
