import { defineConfig } from "vitest/config";

// `make pictures`: draws docs/console/*.png anew, from a real server.
export default defineConfig({
  test: { include: ["tests/pictures/draw.ts"], environment: "node", hookTimeout: 90_000 },
});
