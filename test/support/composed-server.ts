/**
 * The server as `start` composes it, in this process, on an embedded Bitcoin node with a Namecoin and an RSK daemon: for what is asked of its parts and
 * not through its sockets. Of each chain a test decides to the share what is found (`WINS` of ledger-world.ts).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { z } from "zod";
import { configSchema } from "../../src/app/config/schema.ts";
import { type RunningServer, startServer } from "../../src/app/run.ts";
import { mergeSettingsOf, type NodeSettings, parseHostPort, type Settings } from "../../src/app/settings.ts";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { providersOf } from "../../src/app/template-settings.ts";
import { TOKENS } from "../../src/app/tokens.ts";
import { upstreamOf } from "../../src/app/upstream-settings.ts";
import { scriptOfAddress } from "../../src/bitcoin/address.ts";
import { compactFromTarget } from "../../src/bitcoin/target.ts";
import { NamecoinDaemon } from "../../src/devnet/namecoin/daemon.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { RskDaemon } from "../../src/devnet/rsk/daemon.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { ledgerAddress } from "../../src/ledger/store/address.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { decodeAuthorityPublicKey, generateAuthoritySecretKey } from "../../src/sv2/noise/authority-key.ts";
import { NoiseInitiator } from "../../src/sv2/noise/handshake.ts";
import { RSK_MATURITY } from "./ledger-truth.ts";
import { MockMiner } from "./mock-miner.ts";
import { NAMECOIN_ADDRESS } from "./namecoin.ts";
import { type LogLine, recordingLog } from "./recording-log.ts";
import { seededRandom } from "./seeded-random.ts";
import { pause } from "./until.ts";

const never = new AbortController().signal;
const deps = (seed: number) => ({ clock: systemClock, random: seededRandom(seed), log: silentLog });
const PAYOUT = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/** A running server among its daemons; all of it ends with the test. */
export interface ComposedServer {
  readonly running: RunningServer;
  readonly node: DevnetNode;
  readonly namecoin: NamecoinDaemon;
  readonly rsk: RskDaemon;
  readonly log: readonly LogLine[];
  /** A miner after its handshake and set-up. */
  miner(): Promise<MockMiner>;
  /** Resolves once the newest job commits to exactly these chains at their daemons' tips, and no other job followed for a while. */
  ready(...chains: readonly string[]): Promise<void>;
}

/** What servers stand on. */
export type Daemons = Pick<ComposedServer, "node" | "namecoin" | "rsk">;

/** Starts daemons; they end with the test. Bitcoin's target is 2^246, RSK's 2^248, Namecoin's 2^250. */
export async function devnetDaemons(): Promise<Daemons> {
  const node = new DevnetNode(deps(1), { nBits: compactFromTarget(2n ** 246n), transactions: { atLeast: 3 } });
  const namecoin = new NamecoinDaemon(deps(2), { nBits: compactFromTarget(2n ** 250n) });
  const rsk = new RskDaemon(deps(3), { difficulty: 2 ** 8 });
  for (const daemon of [node, namecoin, rsk]) {
    await daemon.start(never);
    onTestFinished(() => daemon.stop());
  }
  // REMASC pays fees alone.
  rsk.addTransaction(1_000_000_000_007n);
  rsk.refreshWork();
  return { node, namecoin, rsk };
}

/** Starts it, on `daemons` of its own where none are given. The channels' target is 2^252. */
export async function composedServer(
  changes: z.input<typeof configSchema> = {},
  daemons?: Daemons,
  instead: { readonly nodes?: readonly NodeSettings[] } = {},
): Promise<ComposedServer> {
  const { stratum_v2, ...others } = changes;
  const { node, namecoin, rsk } = daemons ?? (await devnetDaemons());
  const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-composed-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const difficulty = 2 ** (224 - 252);
  const config = configSchema.parse({
    stratum_v2: { data_dir: folder, ...stratum_v2 },
    vardiff: { min_difficulty: difficulty, max_difficulty: difficulty },
    jobs: { ack_shares: 1 },
    ledger: { flush_s: 0.3, follow_s: 0.3 },
    chains: {
      namecoin: {
        payout: NAMECOIN_ADDRESS,
        daemons: [{ url: namecoin.url, user: namecoin.user, password: namecoin.password }],
      },
      rsk: { maturity: RSK_MATURITY, daemons: [{ url: rsk.url }] },
    },
    ...others,
  });
  const log = recordingLog();
  const settings = {
    ...mergeSettingsOf({ config, file: undefined, folder }),
    config,
    control: undefined,
    network: "regtest",
    listen: parseHostPort("127.0.0.1:0"),
    dataDir: folder,
    payoutScript: scriptOfAddress(PAYOUT, "regtest"),
    tag: utf8("/composed/"),
    ledger: ledgerAddress(undefined, folder),
    versionRollingMask: Number(config.jobs.version_rolling_mask),
    bllvmRpc: undefined,
    providers: providersOf({ config, file: undefined }),
    upstream: upstreamOf({ config, file: undefined }),
    nodes: instead.nodes ?? [
      {
        name: "devnet",
        url: node.url,
        credentials: { kind: "password", user: node.user, password: node.password },
        zmqAddress: undefined,
      },
    ],
  } satisfies Settings;
  const authoritySecretKey = generateAuthoritySecretKey(systemRandom());
  const running = await startServer({ settings, authoritySecretKey, log }, never);
  onTestFinished(() => running.stop());
  const tips: Readonly<Record<string, () => number>> = {
    namecoin: () => namecoin.chain.tip.height,
    rsk: () => rsk.chain.tip.number,
  };
  const jobs = running.container.resolve(TOKENS.jobMaker);
  return {
    running,
    node,
    namecoin,
    rsk,
    log: log.lines,
    async miner() {
      const crypto = nodeCrypto({ log: silentLog });
      const authorityPublicKey = decodeAuthorityPublicKey(running.authorityPublicKey);
      const noise = new NoiseInitiator({ crypto, clock: systemClock, random: systemRandom() }, { authorityPublicKey });
      const miner = await MockMiner.connect(running.listening[0] ?? "", { noise });
      onTestFinished(() => miner.destroy());
      await miner.setup();
      return miner;
    },
    async ready(...chains) {
      const wanted = [...chains].sort().join(",");
      const deadline = performance.now() + 20_000;
      let [since, last] = [performance.now(), -1];
      for (;;) {
        const job = jobs.current();
        const heights = new Map(job?.aux?.entries.map(({ chain, work }) => [chain, work.height]));
        const isSettled =
          job?.template.height === node.chain.tip.height + 1 &&
          [...heights.keys()].sort().join(",") === wanted &&
          chains.every((name) => heights.get(name) === (tips[name]?.() ?? 0) + 1);
        if (!isSettled || job.jobId !== last) since = performance.now();
        last = job?.jobId ?? -1;
        if (performance.now() - since > 300) return;
        if (performance.now() > deadline) {
          const lines = log.lines.slice(-20).map(({ message }) => message);
          throw new Error(`no job for ${wanted}: ${JSON.stringify({ heights: [...heights], lines })}`);
        }
        await pause(20);
      }
    },
  };
}
