/** Reports read one after the other, and only so many wait. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../../src/app/config/load.ts";
import { LedgerReader } from "../../../src/app/ledger-reading.ts";
import { migrate } from "../../../src/ledger/store/open.ts";
import { fileLedger, scratchFolder } from "../../support/ledger-files.ts";

async function reader(): Promise<LedgerReader> {
  const folder = scratchFolder();
  writeFileSync(join(folder, "config.toml"), "");
  mkdirSync(join(folder, "data"));
  await migrate(fileLedger(join(folder, "data/ledger.sqlite")), { lookOnly: false });
  return new LedgerReader(loadConfig(join(folder, "config.toml")));
}

test("sixteen reports wait for the one that reads, a further one is refused, and the next is taken when they are done", async () => {
  const reports = await reader();
  const order: number[] = [];
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const first = reports.run(() => gate);
  const waiting = Array.from({ length: 16 }, (_, i) => reports.run(async () => order.push(i)));
  await expect(reports.run(async () => order.push(99))).rejects.toMatchObject({ code: "ledger-overloaded" });
  open();
  await Promise.all([first, ...waiting]);
  expect(order).toEqual(Array.from({ length: 16 }, (_, i) => i));
  expect(await reports.run(async () => "read")).toBe("read");
});

test("reports that fail make room too", async () => {
  const reports = await reader();
  const fails = async (): Promise<never> => {
    throw new TypeError("a mistake");
  };
  const all = await Promise.allSettled(Array.from({ length: 17 }, () => reports.run(fails)));
  expect(all.every(({ status }) => status === "rejected")).toBe(true);
  await expect(reports.run(fails)).rejects.toThrow("a mistake");
});
