/** `mine`: the CPU miner against any SV2 server. */
import { parseServerUrl, type ServerAddress } from "../../client/url.ts";
import { CpuMiner } from "../../devnet/miner/miner.ts";
import { toDisplayHex } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import { silentLog } from "../../kernel/log.ts";
import { nodeCrypto } from "../../pool/noise-crypto.ts";
import { dialServer } from "../dialers.ts";
import { EXIT } from "../exit-codes.ts";
import { adviceOf } from "../failure.ts";
import { aborted } from "../interrupt.ts";
import { systemClock, systemRandom } from "../system.ts";
import { colours, hashrateText, jsonLine, type Terminal } from "../terminal.ts";
import { type Tell, watchChains } from "./mine-chains.ts";

/** Words behind `mine <url>`. */
export interface MineOptions {
  readonly user: string;
  readonly extended: boolean;
  readonly worker?: string;
  readonly shares?: number;
  readonly maxHashrate?: number;
  /** Also tells how each chain of the server stands, from a second connection. */
  readonly chains?: boolean;
  /** Our certificate for a server that wants one, PEM files; both or none. */
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly json: boolean;
}

/**
 * Mines until enough shares were accepted or `signal` aborts; returns the exit code. A server that cannot be reached or
 * refuses at the first attempt ends the command; later on the miner comes back by itself. Throws `Fault("sv2-url-invalid")`.
 */
export async function mine(
  url: string,
  options: MineOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const server = parseServerUrl(url);
  const { transport, host, port, noise, authorityPublicKey, certSha256 } = server;
  const { clientCert: chain, clientKey: key } = options;
  const own = chain === undefined || key === undefined ? undefined : { chain, key };
  const startedMs = systemClock.monotonicMs();
  const paint = colours(terminal.interactive && process.env.NO_COLOR === undefined);
  const tell: Tell = (event, sentence, facts) => {
    terminal.out(
      options.json ? jsonLine({ event, ...facts }) : `${paint.dim(new Date().toTimeString().slice(0, 8))}  ${sentence}`,
    );
  };
  const dial = dialServer(own);
  const watch = options.chains === true ? watchChains(server, dial, tell) : undefined;
  const miner = new CpuMiner(
    {
      clock: systemClock,
      random: systemRandom(),
      log: silentLog,
      crypto: nodeCrypto({ log: silentLog }),
      dial,
    },
    {
      transport,
      host,
      port,
      plain: !noise,
      authorityPublicKey,
      ...(certSha256 === undefined ? {} : { certSha256 }),
      channel: options.extended ? "extended" : "standard",
      userIdentity: options.user,
      workerIdentity: options.worker,
      ...(options.maxHashrate === undefined ? {} : { maxHashrate: options.maxHashrate }),
    },
  );
  let failure: string | undefined;
  let cause: unknown;
  const done = new Promise<void>((resolve) => {
    let opened = false;
    miner.on("connected", () => {
      tell("connected", `connected to ${host}:${port}, encrypted; ${vouched(server)}`, { host, port });
    });
    miner.on("channel", ({ kind, channelId }) => {
      opened = true;
      void watch?.start(signal);
      tell("channel", `${kind} channel ${channelId} open`, { kind, channelId });
    });
    miner.on("newBlock", ({ prevHash, jobId }) =>
      tell("newBlock", `new block to build on: ${toDisplayHex(prevHash)}`, { prevHash: toDisplayHex(prevHash), jobId }),
    );
    miner.on("job", ({ jobId, future }) =>
      tell("job", `job #${jobId}${future ? " for the next block" : ""}`, { jobId, future }),
    );
    miner.on("shareFound", ({ hash, block, jobId }) =>
      tell("shareFound", `${block ? paint.bold("BLOCK ") : "share "} ${toDisplayHex(hash)}`, {
        hash: toDisplayHex(hash),
        block,
        jobId,
      }),
    );
    miner.on("shareAccepted", ({ count }) => {
      const { sharesAccepted } = miner.counts;
      tell("shareAccepted", paint.green(`${count} accepted, ${sharesAccepted} in all`), { count, sharesAccepted });
      if (options.shares !== undefined && sharesAccepted >= options.shares) resolve();
    });
    miner.on("shareRejected", ({ code }) =>
      tell("shareRejected", paint.yellow(`rejected: ${code}`), { errorCode: code }),
    );
    miner.on("hashrate", ({ hashesPerSecond }) => tell("hashrate", hashrateText(hashesPerSecond), { hashesPerSecond }));
    miner.on("refused", ({ step, code }) => {
      failure = `the server refused the ${step}: ${code}`;
    });
    miner.on("disconnected", ({ reason, retryMs, error }) => {
      failure ??= reason;
      cause = error;
      if (!opened || retryMs === undefined) resolve();
      else {
        failure = undefined;
        tell("disconnected", `disconnected: ${reason}; again in ${Math.round(retryMs / 1000)} s`, { reason, retryMs });
      }
    });
  });
  await miner.start(signal);
  await Promise.race([done, aborted(signal)]);
  await watch?.stop();
  await miner.stop();
  const { sharesAccepted, sharesRejected, sharesFound, blocksFound } = miner.counts;
  const enough = options.shares !== undefined && sharesAccepted >= options.shares;
  if (!enough && !signal.aborted) {
    terminal.err(`error: ${failure ?? "the connection ended"}`);
    if (cause instanceof Fault) terminal.err(`  what to do: ${adviceOf(cause)}`);
  }
  tell("summary", `${sharesAccepted} shares accepted, ${sharesRejected} rejected, ${blocksFound} were blocks`, {
    shares: { found: sharesFound, accepted: sharesAccepted, rejected: sharesRejected },
    blocksFound,
    elapsedMs: Math.round(systemClock.monotonicMs() - startedMs),
  });
  return enough || signal.aborted ? EXIT.ok.code : EXIT.failed.code;
}

/** Who vouched for a server that we are connected to. */
function vouched({ transport, noise, authorityPublicKey, certSha256 }: ServerAddress): string {
  if (noise && authorityPublicKey !== undefined) return "its key is the right one";
  if (certSha256 !== undefined) return "its certificate is the right one";
  return transport === "tcp" ? "its key is NOT checked" : "its certificate was checked";
}
