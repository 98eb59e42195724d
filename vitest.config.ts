/**
 * Test projects: `unit` touches neither network nor disk, `arch` reads our own sources, `ledger` runs the ledger on real
 * databases, `e2e` runs the built program.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Plugins import the package by its own name, as a third party does; tests run its sources. */
const alias = {
  "bllvm-stratum-v2/plugin": source("src/plugin.ts"),
  "bllvm-stratum-v2/kit": source("src/kit.ts"),
};

export default defineConfig({
  test: {
    // Two files at a time even on two cores, where Vitest would take one: tests of programs wait more than they compute.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        resolve: { alias },
        test: {
          name: "unit",
          include: [
            "test/unit/**/*.test.ts",
            "test/fuzz/**/*.test.ts",
            "test/kit/**/*.test.ts",
            "plugins/**/*.test.ts",
          ],
        },
      },
      { resolve: { alias }, test: { name: "arch", include: ["test/arch/**/*.test.ts"] } },
      {
        resolve: { alias },
        test: {
          name: "ledger",
          include: ["test/ledger/**/*.test.ts"],
          globalSetup: ["test/support/postgres-setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
      },
    ],
  },
});
