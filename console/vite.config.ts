import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// Where `npm run dev` finds a server: `treadle dev` and `treadle serve` listen there unless told otherwise.
const server = process.env.TREADLE_URL ?? "http://127.0.0.1:2024";

/** Writes each file of some size a second time, compressed: the server hands that out where it is accepted. */
const compressed: Plugin = {
  name: "compressed",
  apply: "build",
  // Not earlier: until they are written, chunks hold placeholders.
  writeBundle({ dir = "" }, bundle) {
    for (const name of Object.keys(bundle).filter((each) => /\.(js|css)$/.test(each))) {
      const content = readFileSync(path.join(dir, name));
      if (content.length > 1000) writeFileSync(path.join(dir, `${name}.gz`), gzipSync(content, { level: 9 }));
    }
  },
};

/**
 * Removes what earlier builds left, once the new files are there: a server may be handing them out meanwhile, and the page
 * must never name a file that is gone.
 */
const swept: Plugin = {
  name: "swept",
  apply: "build",
  writeBundle: {
    order: "post",
    sequential: true,
    handler({ dir = "" }, bundle) {
      for (const file of readdirSync(path.join(dir, "assets"))) {
        if (!(`assets/${file.replace(/\.gz$/, "")}` in bundle)) rmSync(path.join(dir, "assets", file), { force: true });
      }
    },
  },
};

export default defineConfig(({ command }) => ({
  // Built pages find their files relative to <base href>, which the server writes: it may be mounted under any path.
  base: command === "build" ? "./" : "/console/",
  plugins: [react(), compressed, swept],
  build: {
    outDir: "../src/treadle/console",
    emptyOutDir: false,
    target: ["chrome123", "edge123", "firefox121", "safari17.5"],
    // Inlined assets would need data: in more places of the content security policy than images.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    modulePreload: { polyfill: false },
  },
  server: {
    host: "127.0.0.1",
    port: 5173,
    open: false,
    proxy: { "^/(?!console(/|$))": { target: server, changeOrigin: false } },
  },
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"], environment: "node" },
}));
