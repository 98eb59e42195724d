/** `demo`: daemons of three chains, server and miner in one process, and what happens told line by line. */
import { CpuMiner } from "../../devnet/miner/miner.ts";
import { silentLog } from "../../kernel/log.ts";
import { nodeCrypto } from "../../pool/noise-crypto.ts";
import { authorityPublicKey, generateAuthoritySecretKey } from "../../sv2/noise/authority-key.ts";
import { devnetConfig, startDevnet } from "../devnet.ts";
import { EXIT } from "../exit-codes.ts";
import { aborted } from "../interrupt.ts";
import { createLog } from "../log.ts";
import { type RunningServer, startServer } from "../run.ts";
import { parseHostPort } from "../settings.ts";
import { systemClock, systemRandom } from "../system.ts";
import type { Terminal } from "../terminal.ts";
import { TOKENS } from "../tokens.ts";
import { Teller } from "./demo-teller.ts";

/** Words behind `demo`. */
export interface DemoOptions {
  readonly once: boolean;
  readonly json: boolean;
}

const MINER = "demo.cpu";
/** What one thread does at first guess; vardiff mends it within seconds. */
const NOMINAL_HASHRATE = 1_500_000;

/** Runs until each of the three chains accepted a block (`once`) or `signal` aborts; returns the exit code. */
export async function demo(options: DemoOptions, terminal: Terminal, signal: AbortSignal): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  // What goes wrong with a block or a chain is told by the teller.
  const log = createLog({ level: "error", format: options.json ? "json" : "pretty" });
  const teller = new Teller({ terminal, clock: systemClock }, { json: options.json });
  teller.hello();

  const devnet = await startDevnet(devnetConfig(), "127.0.0.1:0", log, signal);
  const secret = generateAuthoritySecretKey(systemRandom());
  const server = await startServer({ settings: devnet.settings, authoritySecretKey: secret, log }, signal, [
    devnet.part,
  ]);
  teller.listening(server, devnet);
  const accepted = follow(server, teller);
  devnet.namecoin.chain.events.on("tip", ({ node: { auxpow, height } }) => {
    if (auxpow === undefined) teller.foreign("namecoin", height);
  });
  devnet.rsk.chain.events.on("tip", ({ node: { proof, number } }) => {
    if (proof === undefined) teller.foreign("rsk", number);
  });

  const { host, port } = parseHostPort(server.listening[0] ?? "");
  const miner = new CpuMiner(
    { clock: systemClock, random: systemRandom(), log: silentLog, crypto: nodeCrypto({ log: silentLog }) },
    {
      host,
      port,
      authorityPublicKey: authorityPublicKey(secret),
      userIdentity: MINER,
      nominalHashrate: NOMINAL_HASHRATE,
    },
  );
  miner.on("connected", () =>
    teller.tell("connected", "the miner is connected, encrypted, and has checked the server's key", {}),
  );
  miner.on("hashrate", ({ hashesPerSecond }) => teller.hashrate(hashesPerSecond));
  await miner.start(signal);
  await Promise.race(options.once ? [accepted, aborted(signal)] : [aborted(signal)]);
  await miner.stop();
  await server.stop();
  teller.goodbye(systemClock.monotonicMs() - startedMs);
  return options.once && !teller.hasAll ? EXIT.failed.code : EXIT.ok.code;
}

/** Tells everything that the server announces; resolves when each chain has accepted a block. */
function follow(server: RunningServer, teller: Teller): Promise<void> {
  const bus = server.container.resolve(TOKENS.bus);
  const jobs = server.container.resolve(TOKENS.jobMaker);
  bus.on("MiningJobCreated", (job) => teller.job(job, jobs.current()?.aux?.entries ?? []));
  bus.on("ShareSubmitted", (share) => teller.share(share));
  bus.on("ChainChanged", (change) => teller.chain(change));
  bus.on("AuxBlockFound", (found) => teller.auxFound(found));
  bus.on("RewardDistributed", (reward) => teller.reward(reward));
  for (const { chain, inJob } of server.container.resolve(TOKENS.mergeMining).status()) {
    if (inJob) teller.chain({ chain, state: "mined", trouble: undefined });
  }
  const current = jobs.current();
  if (current !== undefined) {
    const { jobId, prevHash, payoutValue, template, createdMs, aux } = current;
    const { height, transactionCount } = template;
    const first = { jobId, height, prevHash, value: payoutValue, transactionCount, atMs: createdMs };
    teller.job({ ...first, cause: "newBlock" }, aux?.entries ?? []);
  }
  return new Promise((resolve) => {
    const told = (): void => {
      if (teller.hasAll) resolve();
    };
    bus.on("AuxBlockAnswered", ({ found, answer }) => {
      teller.auxAnswer(found, answer);
      told();
    });
    server.container.resolve(TOKENS.blockSink).onAnswer((block, answer) => {
      teller.answer(block, answer);
      told();
    });
  });
}
