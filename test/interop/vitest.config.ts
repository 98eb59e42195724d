/** Foreign programs against ours. One file after the other: they share two cores with real nodes and miners. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/interop/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 1_500_000,
  },
});
