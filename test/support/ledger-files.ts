/** Ledgers in real files for tests: folders of their own, the server's process beside them, a connection as the server has it. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import { type LedgerAddress, openLedger } from "../../src/ledger/store/address.ts";
import { LedgerConnection, type LedgerConnectionOptions } from "../../src/ledger/store/connection.ts";
import type { LedgerStore } from "../../src/ledger/store/open.ts";
import type { SqliteOptions } from "../../src/ledger/store/sqlite-session.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { recordingLog } from "./recording-log.ts";
import { ROOT } from "./sources.ts";

/** The process of a ledger's file as `npm run build` made it. */
export const SQLITE_CHILD = pathToFileURL(join(ROOT, "dist/src/ledger/store/sqlite-child.js"));

/** An empty folder, removed with the test. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ledger-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Whether this machine lets us mount: root outside of a container that forbids it. */
export function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), "ledger-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", folder], { stdio: "ignore" });
    execFileSync("umount", [folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A file system of its own with room for `bytes`, unmounted with the test. */
export function smallDisk(bytes: number): { readonly folder: string; readOnly(yes: boolean): void } {
  const folder = scratchFolder();
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder]);
  onTestFinished(() => void execFileSync("umount", ["-l", folder]));
  return {
    folder,
    readOnly: (yes) => void execFileSync("mount", ["-o", `remount,${yes ? "ro" : "rw"}`, folder]),
  };
}

/** Another program that has a ledger's file in a transaction of its own, until it is released or the test ends. */
export async function holdLocked(path: string): Promise<{ release(): Promise<void> }> {
  const libsql = createRequire(import.meta.url).resolve("libsql");
  const holder = spawn(process.execPath, [
    "-e",
    `const Database = require(${JSON.stringify(libsql)});
     const db = new Database(process.argv[1]);
     db.exec("PRAGMA busy_timeout = 5000"); db.exec("begin exclusive"); console.log("locked"); setInterval(() => {}, 1000);`,
    path,
  ]);
  onTestFinished(() => void holder.kill("SIGKILL"));
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  return {
    async release() {
      const ended = new Promise((resolve) => holder.once("exit", resolve));
      holder.kill("SIGKILL");
      await ended;
    },
  };
}

/** A ledger in a file, in a process; closed with the test. */
export function fileLedger(path: string, how: Partial<SqliteOptions> = {}): LedgerStore {
  const { access = "own", create = true } = how;
  const store = openLedger(
    { kind: "sqlite", path },
    { access, create, script: SQLITE_CHILD, clock: systemClock, onLost() {} },
  );
  onTestFinished(() => store.close());
  return store;
}

/** A server's connection on real time with short waits, stopped with the test. */
export function connect(address: LedgerAddress, options: Partial<LedgerConnectionOptions> = {}) {
  const log = recordingLog();
  const meter = new MemoryMeter();
  const connection = new LedgerConnection(
    {
      clock: systemClock,
      log,
      meter,
      open: ({ create, onLost }) =>
        openLedger(address, { access: "own", create, script: SQLITE_CHILD, clock: systemClock, onLost }),
    },
    { firstRetryMs: 50, mostRetryMs: 200, steadyMs: 60_000, startMs: 10_000, ...options },
  );
  onTestFinished(() => connection.stop());
  return { connection, log, meter };
}
