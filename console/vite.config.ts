import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Where `npm run dev` finds a server: `treadle dev` and `treadle serve` listen there unless told otherwise.
const server = process.env.TREADLE_URL ?? "http://127.0.0.1:2024";

export default defineConfig(({ command }) => ({
  // Built pages find their files relative to <base href>, which the server writes: it may be mounted under any path.
  base: command === "build" ? "./" : "/console/",
  plugins: [react()],
  build: {
    outDir: "../src/treadle/console",
    emptyOutDir: true,
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
