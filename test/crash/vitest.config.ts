/** The long crash test, by itself: it takes both cores for the better part of an hour. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: { "bllvm-stratum-v2/plugin": source("src/plugin.ts"), "bllvm-stratum-v2/kit": source("src/kit.ts") },
  },
  test: { include: ["test/crash/**/*.test.ts"] },
});
