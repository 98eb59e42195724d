// @ts-check
/**
 * Merge-mines Examplecoin: a chain of the AuxPoW family, whose daemon offers work with `createauxblock` and takes proofs with
 * `submitauxblock`. If that is all that your chain needs, the plugin `auxpow` does it without any code; begin with this file
 * when your daemon wants something of its own. docs/plugins.md of bllvm-stratum-v2 explains each step.
 */
import {
  Daemons,
  daemonsConfig,
  daemonsOf,
  Fault,
  fromHex,
  Polling,
  targetFromCompact,
  toHex,
  z,
} from "bllvm-stratum-v2/plugin";

/** @import { AuxWork, BlockStatus, Chain, ChainPlugin, Host, Outcome, Proof, SubmittedBlock } from "bllvm-stratum-v2/plugin" */

/** The chain's ID (`nAuxpowChainId` in its sources), and whether it refuses parents with the same one (`fStrictChainId`). */
const CHAIN = { id: 77, strict: true };
/** Blocks after which a reward can be spent. */
const MATURITY = 100;

/** The keys of `[chains.examplecoin]`. */
const config = z.strictObject({
  /** Address that blocks are to pay. */
  payout: z.string({ error: "payout is missing: the Examplecoin address that blocks are to pay" }).min(1).max(100),
  /** Seconds between two questions for work. */
  poll_s: z.number().min(0.1).max(60).default(2),
  /** The daemons, in order of preference. */
  daemons: daemonsConfig,
});

// What the daemon answers. Whatever is not like this counts as no answer.
const hash = z.string().regex(/^[0-9a-f]{64}$/, "a hash in lower-case hex");
const workAnswer = z.object({
  hash,
  previousblockhash: hash,
  height: z.int().min(0),
  bits: z.string().regex(/^[0-9a-f]{8}$/, "a compact target"),
  coinbasevalue: z.int().min(0).optional(),
});
const placeAnswer = z.object({ confirmations: z.int() });

/** @type {ChainPlugin<typeof config>} */
export const plugin = {
  name: "examplecoin",
  api: 1,
  coin: { symbol: "EXC", decimals: 8 },
  config,
  open: (settings, host) => new ExamplecoinChain(settings, host),
};

/** @implements {Chain} */
class ExamplecoinChain {
  /** @type {z.output<typeof config>} */
  #settings;
  /** @type {Host} */
  #host;
  /** @type {Daemons} */
  #daemons;
  /** @type {Polling} */
  #polling;

  /**
   * Keeps what it is given; connects to nothing.
   * @param {z.output<typeof config>} settings
   * @param {Host} host
   */
  constructor(settings, host) {
    this.#settings = settings;
    this.#host = host;
    this.#daemons = new Daemons({ host, daemons: daemonsOf(settings.daemons, host) });
    this.#polling = new Polling(
      { clock: host.clock },
      { everyMs: settings.poll_s * 1000, run: (signal) => this.#poll(signal) },
    );
  }

  async start() {
    this.#daemons.start();
    // Asks at once, and every `poll_s` seconds from then on.
    this.#polling.poke();
  }

  async stop() {
    await Promise.all([this.#polling.stop(), this.#daemons.stop()]);
  }

  /** @param {AuxWork} work */
  commit(work) {
    return /** @type {const} */ ({ kind: "auxpow", chainId: CHAIN.id, strictChainId: CHAIN.strict, hash: work.hash });
  }

  /**
   * @param {Proof} proof
   * @param {AbortSignal} signal
   * @returns {Promise<Outcome>}
   */
  async submit(proof, signal) {
    if (proof.auxpow === undefined) throw new TypeError("an AuxPoW chain needs the proof's auxpow");
    try {
      // `tells: false`: a daemon that takes long over a block is not a sick one.
      const limits = { signal, tells: false };
      const accepted = await this.#daemons.call(
        "submitauxblock",
        [proof.work.id, toHex(proof.auxpow)],
        z.boolean(),
        limits,
      );
      return accepted
        ? { verdict: "accepted", reason: "" }
        : { verdict: "rejected", reason: "the daemon said false; its log says why" };
    } catch (error) {
      // An error that the daemon answered with is a final word; anything else is none, and the server tries again.
      const says = wordsOf(error, -8);
      if (says === undefined) throw error;
      return { verdict: /unknown|stale/.test(says) ? "stale" : "rejected", reason: says };
    }
  }

  /**
   * @param {SubmittedBlock} block
   * @param {AbortSignal} signal
   * @returns {Promise<BlockStatus>}
   */
  async status({ blockHash, work }, signal) {
    try {
      const { confirmations } = await this.#daemons.call("getblockheader", [blockHash], placeAnswer, { signal });
      if (confirmations < 1) return { state: "orphaned", confirmations: 0, reward: undefined };
      return { state: confirmations >= MATURITY ? "mature" : "confirmed", confirmations, reward: work.value };
    } catch (error) {
      if (wordsOf(error, -5) === undefined) throw error;
      return { state: "unknown", confirmations: 0, reward: undefined };
    }
  }

  /** @param {AbortSignal} signal */
  async #poll(signal) {
    const host = this.#host;
    try {
      const answer = await this.#daemons.call("createauxblock", [this.#settings.payout], workAnswer, { signal });
      if (signal.aborted || host.signal.aborted) return;
      host.trouble(undefined);
      host.offer({
        id: answer.hash,
        hash: fromHex(answer.hash),
        parent: answer.previousblockhash,
        height: answer.height,
        target: targetFromCompact(Number.parseInt(answer.bits, 16)),
        value: answer.coinbasevalue === undefined ? undefined : BigInt(answer.coinbasevalue),
        details: {},
      });
    } catch (error) {
      if (signal.aborted || host.signal.aborted) return;
      host.trouble(this.#daemons.trouble() ?? `no work: ${error instanceof Error ? error.message : String(error)}`);
      host.offer(undefined);
    }
  }
}

/**
 * The daemon's own words, if `error` is an error with this code that it answered with.
 * @param {unknown} error
 * @param {number} code
 */
function wordsOf(error, code) {
  if (!(error instanceof Fault) || error.code !== "node-rpc-error" || error.data.rpcCode !== code) return undefined;
  return String(error.data.says);
}
