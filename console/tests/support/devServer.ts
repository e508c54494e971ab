import path from "node:path";

import { createServer, type ViteDevServer } from "vite";

import type { Server } from "./server";

/** With CONSOLE_DEV=1 the tests look at the sources as they are, through Vite, and not at what was built last. */
export async function startDevServer(server: Server): Promise<ViteDevServer | null> {
  if (process.env.CONSOLE_DEV !== "1") return null;
  const vite = await createServer({
    root: path.resolve(import.meta.dirname, "../.."),
    logLevel: "error",
    server: {
      port: 20_000 + (process.pid % 20_000),
      strictPort: false,
      watch: null,
      hmr: false,
      proxy: { "^/(?!console(/|$))": { target: server.url } },
    },
  });
  await vite.listen();
  const address = vite.httpServer?.address();
  if (address === null || address === undefined || typeof address === "string") throw new Error("no address");
  server.console = `http://127.0.0.1:${address.port}/console`;
  return vite;
}
