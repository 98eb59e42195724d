/** Foreign programs against ours. One file after the other: they share two cores with real nodes and miners. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: { "bllvm-stratum-v2/plugin": source("src/plugin.ts"), "bllvm-stratum-v2/kit": source("src/kit.ts") },
  },
  test: {
    include: ["test/interop/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 1_500_000,
    // All files together have one budget of time for building foreign programs.
    env: { INTEROP_STARTED: String(Date.now()) },
  },
});
