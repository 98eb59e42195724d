/**
 * The driver of every chain that is merge-mined by AuxPoW: asks its daemons for work, turns work into a leaf of the common
 * tree, submits proofs and follows blocks. Namecoin's RPC and its bugs are described at each place that lives with them.
 */
import { z } from "zod";
import { Polling } from "../../daemon/polling.ts";
import type { RpcParams } from "../../daemon/rpc.ts";
import { withSignals } from "../../kernel/abort.ts";
import { fromHex, toHex } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import type { BlockStatus, Chain, Commitment, Host, Outcome, Proof, SubmittedBlock } from "../../merge/plugin.ts";
import type { AuxWork } from "../../mining/aux.ts";
import { type Daemon, type DaemonPorts, daemonsOf, systemPorts } from "../daemon-config.ts";
import { Daemons } from "../daemons.ts";
import { listenForBlocks } from "../notices.ts";
import { blockHash, blockName } from "./answers.ts";
import { BlockFollower } from "./blocks.ts";
import { type AuxPowSettings, payoutFlaw } from "./config.ts";
import { type AuxPowProfile, noParams } from "./profile.ts";
import { type Reading, readError, readResult } from "./submission.ts";
import { WorkSource } from "./work-source.ts";

/** Least ms that a submission may take: the daemon checks the whole block before it answers. */
const SUBMIT_MS = 30_000;
/** Ms without work after which a chain that is not merge-mined at every height is said to be in trouble. */
const NO_WORK_MS = 600_000;

/**
 * Opens a chain with `profile`. Throws an `Error` with a sentence when `settings` cannot work. `ports` are the machine's own unless a
 * test gives others.
 */
export function openAuxPowChain(
  profile: AuxPowProfile,
  settings: AuxPowSettings,
  host: Host,
  ports: DaemonPorts = systemPorts,
): Chain {
  const flaw = payoutFlaw(profile, settings.payout);
  if (flaw !== undefined) throw new Error(flaw);
  return new AuxPowChain({ host, ports }, { profile, settings });
}

/** One chain. */
class AuxPowChain implements Chain {
  readonly #host: Host;
  readonly #ports: DaemonPorts;
  readonly #profile: AuxPowProfile;
  readonly chainId: number;
  readonly #strictChainId: boolean;
  readonly #source: WorkSource;
  readonly #daemons: Daemons;
  readonly #blocks: BlockFollower;
  readonly #polling: Polling;
  readonly #stop = new AbortController();
  #notices: Promise<unknown> = Promise.resolve();
  /** The best work of the current tip, and who gave it. */
  #kept: { readonly daemon: Daemon; readonly work: AuxWork } | undefined;
  /** Who takes proofs of the work that stands offered; `undefined` for none, or when its templates may be gone. */
  #maker: Daemon | undefined;
  #offered = false;
  #noWorkSinceMs: number | undefined;

  constructor(
    deps: { readonly host: Host; readonly ports: DaemonPorts },
    options: { readonly profile: AuxPowProfile; readonly settings: AuxPowSettings },
  ) {
    const { host, ports } = deps;
    const { profile, settings } = options;
    this.#host = host;
    this.#ports = ports;
    this.#profile = profile;
    this.chainId = settings.chain_id ?? profile.chainId;
    this.#strictChainId = settings.strict_chain_id ?? profile.strictChainId;
    this.#source = new WorkSource({ clock: host.clock }, { profile, settings, chainId: this.chainId });
    const daemons = daemonsOf(settings.daemons, host, ports);
    // A standby that answers a probe but could give no work would be taken for a good one, so the probe asks for work.
    const probe = (daemon: Daemon, signal: AbortSignal): Promise<AuxWork> => this.#source.ask(daemon, signal);
    this.#daemons = new Daemons({ host, daemons }, { probe });
    this.#blocks = new BlockFollower(
      { daemons: this.#daemons },
      { profile, maturity: settings.maturity ?? profile.maturity },
    );
    this.#polling = new Polling({ clock: host.clock }, { everyMs: settings.poll_s * 1000, run: (s) => this.#poll(s) });
  }

  async start(): Promise<void> {
    const host = this.#host;
    host.signal.throwIfAborted();
    host.signal.addEventListener("abort", () => void this.stop(), { once: true });
    const { signal } = this.#stop;
    const listened = this.#daemons.all.map((daemon) => {
      const deps = {
        clock: host.clock,
        log: host.log,
        connect: this.#ports.connect,
        onNews: () => this.#polling.poke(),
        onBreak: () => this.#broke(daemon),
      };
      const heard = this.#profile.waits
        ? daemon
        : { ...daemon, settings: { ...daemon.settings, notice: "poll" as const } };
      return listenForBlocks(deps, heard, signal);
    });
    this.#notices = Promise.all(listened);
    this.#daemons.start();
    this.#polling.poke();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#polling.stop(), this.#notices, this.#daemons.stop()]);
  }

  commit(work: AuxWork): readonly Commitment[] {
    const leaf = {
      kind: "auxpow",
      chainId: this.chainId,
      hash: work.hash,
      strictChainId: this.#strictChainId,
    } as const;
    const { extraOutput } = this.#profile;
    if (extraOutput === undefined) return [leaf];
    const script = fromHex(String(work.details[extraOutput.key]));
    return [leaf, { kind: "output", script, forbid: extraOutput.forbid }];
  }

  submit(proof: Proof, signal: AbortSignal): Promise<Outcome> {
    return withSignals([signal, this.#host.signal], (until) => this.#submit(proof, until));
  }

  status(block: SubmittedBlock, signal: AbortSignal): Promise<BlockStatus> {
    return this.#blocks.status(block, signal);
  }

  async #submit(proof: Proof, signal: AbortSignal): Promise<Outcome> {
    const { auxpow, work } = proof;
    if (auxpow === undefined) throw new TypeError("an AuxPoW chain needs the proof's CAuxPow");
    const maker = work.details.daemon;
    const order = this.#daemons.inOrder(typeof maker === "string" ? maker : undefined);
    // Templates live in the cache of the daemon that made them: any other one answers "block hash unknown", which says nothing.
    const hasMaker = order[0]?.name === maker;
    let word: Outcome | undefined;
    let failure: unknown;
    for (const daemon of order) {
      const isHeard = !hasMaker || daemon === order[0];
      try {
        const outcome = await this.#submitTo(daemon, work, toHex(auxpow), signal);
        if (outcome.verdict === "accepted" || outcome.verdict === "duplicate") return outcome;
        if (outcome.verdict === "rejected" && isHeard) return outcome;
        // Started anew without a poll that failed between: the template is gone, however much it paid.
        if (outcome.verdict === "stale" && this.#kept?.daemon === daemon && this.#kept.work.id === work.id) {
          this.#kept = undefined;
        }
        if (isHeard) word ??= outcome;
      } catch (error) {
        signal.throwIfAborted();
        if (isHeard) failure ??= error;
      }
    }
    if (word === undefined || failure !== undefined) throw failure;
    return word;
  }

  /** A daemon that is started anew between two polls is met with an empty cache: what it says next is all that it has. */
  #broke(daemon: Daemon): void {
    this.#source.forget(daemon);
    if (this.#kept?.daemon === daemon) this.#kept = undefined;
    if (this.#maker === daemon) this.#maker = undefined;
    if (daemon === this.#daemons.active) this.#polling.poke();
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const host = this.#host;
    try {
      const isAnswer = (error: unknown): boolean => isFault(error, "aux-no-work");
      const { daemon, value } = await this.#daemons.ask((asked, until) => this.#source.ask(asked, until), {
        signal,
        isAnswer,
      });
      this.#noWorkSinceMs = undefined;
      host.trouble(undefined);
      this.#offer(daemon, this.#better(daemon, value));
    } catch (error) {
      if (signal.aborted || host.signal.aborted) return;
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const host = this.#host;
    // It may have been started again meanwhile, with an empty cache.
    this.#kept = undefined;
    if (isFault(error, "aux-no-work")) {
      const nowMs = host.clock.monotonicMs();
      this.#noWorkSinceMs ??= nowMs;
      const isLong = nowMs - this.#noWorkSinceMs >= NO_WORK_MS;
      host.trouble(isLong ? `${error.message}. ${error.help}` : undefined);
    } else {
      this.#noWorkSinceMs = undefined;
      host.trouble(this.#daemons.trouble() ?? String(error));
      // A daemon that is merely slow still has its templates, so its last work stays good until it expires.
      if (isFault(error, "node-timeout") || isFault(error, "node-busy")) return;
    }
    this.#offered = false;
    host.offer(undefined);
  }

  /** Work of the same parent makes no job of its own, but proofs of the old one are of no use once its maker is another: so it goes first. */
  #offer(daemon: Daemon, work: AuxWork): void {
    if (this.#offered && this.#maker !== daemon) this.#host.offer(undefined);
    this.#maker = daemon;
    this.#offered = true;
    this.#host.offer(work);
  }

  /**
   * The better of a new answer and the work before it. namecoind returns a template with more fees exactly once and the
   * older, cheaper one from then on (its cache is never overwritten), although it takes proofs for both until the tip changes.
   */
  #better(daemon: Daemon, work: AuxWork): AuxWork {
    const kept = this.#kept;
    if (
      kept !== undefined &&
      kept.daemon === daemon &&
      kept.work.parent === work.parent &&
      kept.work.height === work.height &&
      (kept.work.value ?? 0n) > (work.value ?? 0n)
    ) {
      return kept.work;
    }
    this.#kept = { daemon, work };
    return work;
  }

  async #submitTo(daemon: Daemon, work: AuxWork, auxpow: string, signal: AbortSignal): Promise<Outcome> {
    const profile = this.#profile;
    const { method } = profile;
    const name = method === "getauxblock" ? method : "submitauxblock";
    // The hash goes back byte for byte: namecoind compares it with its own spelling and aborts when the case differs.
    const params: RpcParams = method === "named" ? { blockhash: work.id, auxpow } : [work.id, auxpow];
    const timeoutMs = Math.max(SUBMIT_MS, daemon.settings.rpc_timeout_s * 1000);
    const reading = await daemon.rpc.call(name, params, z.unknown(), { signal, timeoutMs }).then(
      (result) => readResult(result, profile, daemon.name),
      (error: unknown) => readError(error, profile),
    );
    const outcome = await this.#settled(reading, daemon, work, signal);
    if (!profile.reversedHashes) return outcome;
    return { ...outcome, blockHash: blockName(work.id, profile) };
  }

  /**
   * Finds out what a vague answer means: the block is there, or its place was taken, or it was no good. Also an unknown hash may be that of
   * a block that is there: a daemon forgets its templates at the next block, its own ones included, and with a restart.
   */
  async #settled(reading: Reading, daemon: Daemon, work: AuxWork, signal: AbortSignal): Promise<Outcome> {
    const { verdict, reason } = reading;
    if (verdict !== "vague" && verdict !== "stale") return { verdict, reason };
    const profile = this.#profile;
    if (await this.#blocks.knows(daemon, blockName(work.id, profile), signal)) return { verdict: "duplicate", reason };
    if (verdict === "stale") return { verdict, reason };
    const tip = await daemon.rpc.call("getbestblockhash", noParams(profile), blockHash, { signal });
    const isStale = blockName(tip, profile) !== work.parent;
    return { verdict: isStale ? "stale" : "rejected", reason };
  }
}

function isFault(error: unknown, code: string): error is Fault {
  return error instanceof Fault && error.code === code;
}
