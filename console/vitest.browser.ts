import { defineConfig } from "vitest/config";

// Tests in a real browser against a real server: `npm run browser`, or `make test`, which calls this file by file.
export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 90_000,
    retry: 0,
  },
});
