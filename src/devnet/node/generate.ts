/** Makes blocks inside the node: the history it starts with, and `generatetoaddress`. Real proof of work, any target. */
import { assembleBlock } from "../../bitcoin/block.ts";
import { heightPush } from "../../bitcoin/coinbase.ts";
import { HeaderHasher, serializeHeader } from "../../bitcoin/header.ts";
import { merkleRoot } from "../../bitcoin/merkle.ts";
import { pushBytes } from "../../bitcoin/script.ts";
import { targetFromCompact } from "../../bitcoin/target.ts";
import { serializeTransaction, type Transaction, txid } from "../../bitcoin/transaction.ts";
import { concat } from "../../kernel/bytes.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Random } from "../../kernel/random.ts";
import { type BlockData, decodeBlock } from "./block-data.ts";
import { medianTimePast } from "./block-index.ts";
import type { Chain } from "./chain.ts";
import type { Mempool } from "./mempool.ts";
import { ANYONE_SCRIPT } from "./synthetic.ts";
import { type BlockTemplate, buildTemplate, templateTime } from "./template.ts";

/** Nonces tried before the caller gets the thread back: some 10 ms. */
export const NONCES_PER_SLICE = 8_000;

/** Seconds between the blocks of the history. */
const HISTORY_SPACING = 60;

/** What the node's own miner works with. */
export interface MinerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly chain: Chain;
  readonly mempool: Mempool;
}

/** What the miner puts into a block besides the template. */
export interface BlockPlan {
  /** scriptPubKey that is paid. */
  readonly script: Uint8Array;
  /** Header time, Unix seconds. */
  readonly time: number;
  /** Makes the coinbase unlike any other at this height. */
  readonly extranonce: Uint8Array;
}

/** The coinbase of `template`, with lock time and sequence as Core 31 sets them (BIP54). */
export function templateCoinbase(template: BlockTemplate, plan: BlockPlan): Transaction {
  return {
    version: 2,
    inputs: [
      {
        prevHash: new Uint8Array(32),
        prevIndex: 0xffffffff,
        script: concat(heightPush(template.height), pushBytes(plan.extranonce)),
        sequence: 0xfffffffe,
        witness: [new Uint8Array(32)],
      },
    ],
    outputs: [
      { value: template.coinbaseValue, script: plan.script },
      { value: 0n, script: template.witnessCommitment },
    ],
    lockTime: template.height - 1,
  };
}

/**
 * Searches a block in slices of `NONCES_PER_SLICE`, so that the caller chooses when to give the thread away. Each call of
 * `next` yields `undefined` until the block is found; after 2^32 nonces without one the generator ends.
 */
export function* mine(template: BlockTemplate, plan: BlockPlan): Generator<undefined, BlockData | undefined> {
  const coinbase = templateCoinbase(template, plan);
  const header = serializeHeader({
    version: 0x20000000,
    prevHash: template.prev.hash,
    merkleRoot: merkleRoot([txid(coinbase), ...template.transactions.map((each) => each.txid)]),
    time: plan.time,
    nBits: template.nBits,
    nonce: 0,
  });
  const hasher = new HeaderHasher(header);
  const target = targetFromCompact(template.nBits);
  for (let start = 0; start < 2 ** 32; start += NONCES_PER_SLICE) {
    const nonce = hasher.search(start, NONCES_PER_SLICE, target);
    if (nonce === undefined) {
      yield undefined;
      continue;
    }
    new DataView(header.buffer).setUint32(76, nonce, true);
    const raw = serializeTransaction(coinbase, { witness: true });
    return decodeBlock(
      assembleBlock(
        header,
        raw,
        template.transactions.map((each) => each.raw),
      ),
    );
  }
  return undefined;
}

/**
 * Fills `chain` up to height `count` with blocks a minute apart that end a minute ago and pay to anyone. Throws
 * `Fault("devnet-history-failed")`.
 */
export function makeHistory({ chain, clock, mempool, random }: MinerDeps, count: number): void {
  const now = Math.floor(clock.nowMs() / 1000);
  for (let height = chain.tip.height + 1; height <= count; height++) {
    const planned = now - (count + 1 - height) * HISTORY_SPACING;
    const time = Math.max(planned, medianTimePast(chain.tip) + 1);
    const plan = { script: ANYONE_SCRIPT, time, extranonce: random.bytes(8) };
    // Half of all hashes do at regtest's easiest target: one slice is always enough.
    const { value } = mine(buildTemplate(chain, mempool), plan).next();
    const reason = value === undefined ? "no nonce found" : chain.submit(value);
    if (reason !== null) throw new Fault("devnet-history-failed", { height, reason });
  }
}

/**
 * Mines `count` blocks on the tip that pay `script`, until `ended` says that nobody wants them any more; the hashes of the
 * accepted ones in display order. Between slices the thread is free.
 */
export async function generateBlocks(
  { chain, clock, mempool, random }: MinerDeps,
  { count, script, ended }: { readonly count: number; readonly script: Uint8Array; readonly ended: () => boolean },
): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count && !ended()) {
    const built = buildTemplate(chain, mempool);
    const search = mine(built, { script, time: templateTime(built.prev, clock), extranonce: random.bytes(8) });
    let step = search.next();
    // A new tip makes the search worthless.
    while (step.done !== true && chain.tip === built.prev && !ended()) {
      await sleep(clock, 0);
      step = search.next();
    }
    if (step.done !== true || step.value === undefined) continue;
    const { key } = step.value;
    if (chain.submit(step.value) === null) found.push(key);
    else if (chain.tip === built.prev) break;
  }
  return found;
}
