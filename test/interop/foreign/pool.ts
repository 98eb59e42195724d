/** Our server as `start` composes it, in this process, on an embedded node: what it decides is heard on its own bus. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import { configSchema } from "../../../src/app/config/schema.ts";
import { startServer } from "../../../src/app/run.ts";
import { mergeSettingsOf, parseHostPort } from "../../../src/app/settings.ts";
import { systemClock, systemRandom } from "../../../src/app/system.ts";
import { TOKENS } from "../../../src/app/tokens.ts";
import { scriptOfAddress } from "../../../src/bitcoin/address.ts";
import { compactFromTarget, targetOfDifficulty } from "../../../src/bitcoin/target.ts";
import { DevnetNode } from "../../../src/devnet/node/node.ts";
import { toDisplayHex, utf8 } from "../../../src/kernel/bytes.ts";
import { silentLog } from "../../../src/kernel/log.ts";
import { ledgerAddress } from "../../../src/ledger/store/address.ts";
import type { ChannelSnapshot } from "../../../src/mining/channel.ts";
import type { BlockAnswer, FoundBlock } from "../../../src/mining/ports.ts";
import type { MiningJobCreated, ShareSubmitted } from "../../../src/pool/events.ts";
import type { MiningServer } from "../../../src/pool/server.ts";
import { generateAuthoritySecretKey } from "../../../src/sv2/noise/authority-key.ts";
import { type LogLine, recordingLog } from "../../support/recording-log.ts";

/** BIP173's example key on regtest; the payout of every test here. */
export const PAYOUT_ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/** A node whose blocks take about `hashes` hashes. */
export async function startNode(hashes: number): Promise<DevnetNode> {
  const node = new DevnetNode(
    { clock: systemClock, random: systemRandom(), log: silentLog },
    { nBits: compactFromTarget(targetOfDifficulty(hashes / 2 ** 32)), transactions: { atLeast: 12 } },
  );
  await node.start(new AbortController().signal);
  return node;
}

/** What a test may choose. */
export interface PoolOptions {
  readonly config?: z.input<typeof configSchema>;
  /** `host:port`; any free port of the loopback interface when left out. */
  readonly listen?: string;
  /** `Uint8Array(32)`; a new one when left out. */
  readonly authoritySecretKey?: Uint8Array;
}

/** A running server and everything that it told. */
export interface Pool {
  readonly server: MiningServer;
  readonly node: DevnetNode;
  readonly host: string;
  readonly port: number;
  /** base58check, as miners are configured with it. */
  readonly authorityPublicKey: string;
  readonly jobs: readonly MiningJobCreated[];
  readonly shares: readonly ShareSubmitted[];
  readonly answers: readonly { readonly block: FoundBlock; readonly answer: BlockAnswer }[];
  readonly log: readonly LogLine[];
  /** Channels that are open now. */
  channels(): readonly ChannelSnapshot[];
  /** Hashes, in display order, of the node's blocks that the server handed in. */
  blocksInChain(): string[];
  /** Accepted shares so far; of one worker when named. */
  accepted(userIdentity?: string): number;
  /** Refused shares so far, by error code. */
  refused(): Record<string, number>;
  stop(): Promise<void>;
}

/** Starts a server on `node`. A share a second, acknowledged within one, unless `config` says otherwise. */
export async function startPool(node: DevnetNode, options: PoolOptions = {}): Promise<Pool> {
  const { vardiff, jobs: jobOptions, ...more } = options.config ?? {};
  const config = configSchema.parse({
    ...more,
    vardiff: { shares_per_minute: 60, ...vardiff },
    jobs: { ack_s: 1, ...jobOptions },
  });
  const log = recordingLog();
  const dataDir = mkdtempSync(join(tmpdir(), "interop-pool-"));
  const settings = {
    ...mergeSettingsOf({ config, file: undefined, folder: dataDir }),
    config,
    control: undefined,
    network: "regtest",
    listen: parseHostPort(options.listen ?? "127.0.0.1:0"),
    dataDir,
    payoutScript: scriptOfAddress(PAYOUT_ADDRESS, "regtest"),
    tag: utf8("/interop/"),
    ledger: ledgerAddress(undefined, dataDir),
    versionRollingMask: Number(config.jobs.version_rolling_mask),
    bllvmRpc: undefined,
    providers: [],
    upstream: undefined,
    nodes: [
      {
        name: "devnet",
        url: node.url,
        credentials: { kind: "password", user: node.user, password: node.password },
        zmqAddress: undefined,
      },
    ],
  } as const;
  const authoritySecretKey = options.authoritySecretKey ?? generateAuthoritySecretKey(systemRandom());
  const running = await startServer({ settings, authoritySecretKey, log }, new AbortController().signal);
  const jobs: MiningJobCreated[] = [];
  const shares: ShareSubmitted[] = [];
  const answers: { block: FoundBlock; answer: BlockAnswer }[] = [];
  const bus = running.container.resolve(TOKENS.bus);
  bus.on("MiningJobCreated", (job) => void jobs.push(job));
  bus.on("ShareSubmitted", (share) => void shares.push(share));
  running.container.resolve(TOKENS.blockSink).onAnswer((block, answer) => void answers.push({ block, answer }));
  const server = running.container.resolve(TOKENS.miningServer);
  const { host, port } = parseHostPort(running.listening[0] ?? "");
  return {
    server,
    node,
    host,
    port,
    authorityPublicKey: running.authorityPublicKey,
    jobs,
    shares,
    answers,
    log: log.lines,
    channels: () => server.channels(),
    blocksInChain: () =>
      answers.flatMap(({ block, answer }) => {
        const key = toDisplayHex(block.hash);
        const known = node.chain.find(key);
        return answer.verdict === "accepted" && known !== undefined && node.chain.isActive(known) ? [key] : [];
      }),
    accepted: (userIdentity) =>
      shares.filter(
        (share) => share.errorCode === undefined && (userIdentity ?? share.userIdentity) === share.userIdentity,
      ).length,
    refused() {
      const codes: Record<string, number> = {};
      for (const { errorCode } of shares) {
        if (errorCode !== undefined) codes[errorCode] = (codes[errorCode] ?? 0) + 1;
      }
      return codes;
    },
    async stop() {
      await running.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Warnings and errors of the log, one line each: what to look at when a test fails. */
export function complaints({ log }: Pool): string[] {
  return log.filter(({ level }) => level === "warn" || level === "error").map(({ message }) => message);
}
