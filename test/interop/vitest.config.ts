/** Foreign programs against ours. One file after the other: they share two cores with real nodes and miners. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/interop/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 1_500_000,
    // All files together have one budget of time for building foreign programs.
    env: { INTEROP_STARTED: String(Date.now()) },
  },
});
