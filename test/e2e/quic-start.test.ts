/** The built program with a QUIC listener: `start` prints its URL, `mine` reaches it, and the QUIC process may come and go. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Program, program } from "../support/program.ts";
import { until } from "../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-quic-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Shares come soon. */
const HEAD = '[stratum_v2]\nlisten_addr = "127.0.0.1:0"\n[vardiff]\nshares_per_minute = 240\n';

interface Ready {
  readonly listeners: readonly { readonly transport: string; readonly url: string }[];
}

async function server(name: string, quic: string): Promise<{ server: Program; urls: string[]; url: string }> {
  const config = join(folder, `${name}.toml`);
  writeFileSync(config, `${HEAD}[quic]\nlisten_addr = "127.0.0.1:0"\n${quic}`);
  const started = program(["start", "--devnet", "-c", config, "--json"], { cwd: folder });
  const ready: Ready = JSON.parse(await started.line((line) => line.includes('"listening"')));
  const urls = ready.listeners.map(({ url }) => url);
  return { server: started, urls, url: ready.listeners.find(({ transport }) => transport === "quic")?.url ?? "" };
}

async function mine(url: string): Promise<{ code: number; err: string }> {
  const miner = program(["mine", url, "--shares", "1", "--json"], { cwd: folder });
  const code = await miner.ended;
  return { code, err: miner.err.join("\n") };
}

/** Processes that run our QUIC program under `parent`. */
function quicProcesses(parent?: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const isOurs = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("quic-process.js");
        const [, ppid] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
        return isOurs && (parent === undefined || Number(ppid) === parent);
      } catch {
        return false;
      }
    });
}

test("mine works over QUIC by the URL that start prints, also after the QUIC process was killed", async () => {
  const { server: started, urls, url } = await server("noise", "");
  expect(urls.map((one) => one.slice(0, one.indexOf(":")))).toEqual(["stratum2+tcp", "stratum2+quic"]);
  expect(url).toMatch(/^stratum2\+quic:\/\/127\.0\.0\.1:\d+\/9[1-9A-HJ-NP-Za-km-z]+$/);
  const first = await mine(url);
  expect(first.code, first.err).toBe(0);
  const [pid] = quicProcesses(started.pid);
  if (pid === undefined) throw new Error("there is a QUIC process");
  process.kill(pid, "SIGKILL");
  await until("QUIC is back", () => started.err.some((line) => line.includes("QUIC is served again")));
  const second = await mine(url);
  expect(second.code, second.err).toBe(0);
  const overTcp = await mine(urls[0] ?? "");
  expect(overTcp.code, overTcp.err).toBe(0);
  started.kill("SIGTERM");
  expect(await started.ended, started.err.join("\n")).toBe(0);
  expect(quicProcesses(started.pid)).toEqual([]);
});

test("without Noise the URL pins the certificate that was made; any other pin is refused", async () => {
  const { server: started, url } = await server("plain", "noise = false\n");
  expect(url).toMatch(/\?noise=off&cert-sha256=[0-9a-f]{64}$/);
  const pinned = await mine(url);
  expect(pinned.code, pinned.err).toBe(0);
  const wrong = await mine(url.replace(/[0-9a-f]{64}$/, "ab".repeat(32)));
  expect(wrong.code).not.toBe(0);
  expect(wrong.err).toContain("another one than the address names");
  const unchecked = await mine(url.replace(/&cert-sha256=.*/, ""));
  expect(unchecked.err).toContain("no authority that is trusted vouches for it");
  started.kill("SIGTERM");
  expect(await started.ended).toBe(0);
});

test("a server that is killed leaves no QUIC process behind", async () => {
  const { server: started } = await server("killed", "");
  const mine = quicProcesses(started.pid);
  expect(mine.length).toBe(1);
  started.kill("SIGKILL");
  await started.ended;
  await until("it is gone too", () => quicProcesses().every((pid) => !mine.includes(pid)));
});
