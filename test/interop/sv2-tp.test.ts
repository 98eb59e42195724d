/**
 * Our template client below the real Template Provider, sv2-tp on a Bitcoin Core with IPC: jobs of its templates are mined, constraints change while it runs,
 * it is killed and comes back. SV2_TP and BITCOIN_NODE name the two programs (`bitcoin-node` is Core's build with `-DENABLE_IPC=ON`).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { TOKENS } from "../../src/app/tokens.ts";
import { composedServer, devnetDaemons } from "../support/composed-server.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { until } from "../support/until.ts";
import { BITCOIN_NODE, startCoreWithIpc } from "./foreign/core-ipc.ts";
import { freePort } from "./foreign/translator.ts";

const { SV2_TP: tpBinary } = process.env;
const missing = tpBinary === undefined || BITCOIN_NODE === undefined;
if (missing)
  console.warn("SKIPPED: set SV2_TP and BITCOIN_NODE to their paths to test against the real Template Provider");

const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

async function provider(folder: string, port: number): Promise<ChildProcess> {
  const child = spawn(
    tpBinary ?? "",
    [
      "-regtest",
      `-datadir=${folder}`,
      "-ipcconnect=unix",
      "-sv2bind=127.0.0.1",
      `-sv2port=${port}`,
      "-debug=sv2",
      "-loglevel=sv2:trace",
    ],
    { stdio: "ignore" },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

describe.skipIf(missing)("the real Template Provider", () => {
  test("gives templates that we mine, room for chains that join, and comes back after a kill", {
    timeout: 120_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "interop-sv2-tp-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { rpc } = await startCoreWithIpc(folder);
    await rpc("generatetoaddress", 101, ADDRESS);
    const port = await freePort();
    let tp = await provider(folder, port);
    const said = (): string => {
      try {
        return readFileSync(join(folder, "regtest", "sv2-debug.log"), "utf8");
      } catch {
        return "";
      }
    };
    const daemons = await devnetDaemons();
    const server = await composedServer(
      {
        template_providers: [{ name: "sv2-tp", url: `stratum2+tcp://127.0.0.1:${port}` }],
        templates: { provider_transactions: true, failback_s: 0 },
      },
      daemons,
      { nodes: [] },
    );
    const jobs = server.running.container.resolve(TOKENS.jobs);
    const height = async (): Promise<number> => Number(await rpc("getblockcount"));
    const onTip = async (): Promise<void> => {
      const tip = Number(await height());
      await until(
        "a job of both chains on Core's tip",
        () => {
          const job = jobs.current();
          return job?.template.height === tip + 1 && job.aux?.chains.length === 2;
        },
        30_000,
      );
    };
    await onTip().catch((error: unknown) => {
      throw new Error(`${String(error)}; the provider said:\n${said().slice(-3000)}`);
    });
    const mine = async (): Promise<void> => {
      const before = await height();
      const channel = await MockChannel.extended(await server.miner());
      channel.submit(channel.find({ atMost: 2n ** 246n - 1n }));
      for (let tries = 0; (await height()) <= before; tries++) {
        if (tries > 100) throw new Error(`Core did not take the block; the provider said:\n${said().slice(-3000)}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };
    await mine();
    await until(
      "its word on it",
      () => server.log.some(({ message }) => /was accepted by node template providers/.test(message)),
      20_000,
    );
    await onTip();
    tp.kill("SIGKILL");
    await until(
      "the loss",
      () => server.log.some(({ message }) => message.startsWith("template provider sv2-tp:")),
      20_000,
    );
    tp = await provider(folder, port);
    await rpc("generatetoaddress", 1, ADDRESS);
    await onTip();
    await mine();
    expect(server.log.filter(({ message }) => message.includes("REFUSED"))).toEqual([]);
  });
});
