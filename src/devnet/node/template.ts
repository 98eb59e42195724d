/** Block templates from the tip and the mempool, as Core's miner makes them for getblocktemplate (BIP22, BIP23, BIP145). */
import { MAX_BLOCK_WEIGHT } from "../../bitcoin/block.ts";
import { subsidy, witnessCommitmentScript, witnessRoot } from "../../bitcoin/coinbase.ts";
import { targetFromCompact } from "../../bitcoin/target.ts";
import { toDisplayHex, toHex } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { type BlockNode, medianTimePast } from "./block-index.ts";
import type { Chain } from "./chain.ts";
import { sequenceLocksMet } from "./coins.ts";
import type { Mempool, MempoolEntry } from "./mempool.ts";
import { isFinal, MAX_SIGOPS_COST } from "./validation.ts";

/** Weight and sigops that templates leave to the coinbase and the header (Core's block_reserved_weight and 400). */
const RESERVED_WEIGHT = 8000;
const RESERVED_SIGOPS = 400;

/** `version` of templates: BIP9's top bits, no deployment signalled. */
const TEMPLATE_VERSION = 0x20000000;

/** Blocks between retargets in regtest, where Core keeps mintime 10 minutes behind the parent at most (BIP94). */
const RETARGET_BLOCKS = 144;
const MAX_TIMEWARP_SECONDS = 600;

/** What goes into the next block. */
export interface BlockTemplate {
  readonly prev: BlockNode;
  readonly height: number;
  readonly nBits: number;
  /** Without the coinbase, parents before children. */
  readonly transactions: readonly MempoolEntry[];
  /** Subsidy and fees in sat. */
  readonly coinbaseValue: bigint;
  /** Script of the output that commits to the witnesses, for a coinbase witness of 32 zero bytes. */
  readonly witnessCommitment: Uint8Array;
  /** `Mempool.updates` when it was made. */
  readonly mempoolUpdates: number;
}

/** The best template for the next block: transactions by fee rate, each behind those it spends from. */
export function buildTemplate(chain: Chain, mempool: Mempool): BlockTemplate {
  const prev = chain.tip;
  const transactions = select(chain, mempool);
  let fees = 0n;
  for (const { fee } of transactions) fees += fee;
  const height = prev.height + 1;
  const root = witnessRoot([new Uint8Array(32), ...transactions.map((each) => each.wtxid)]);
  return {
    prev,
    height,
    nBits: chain.options.requiredBits(height),
    transactions,
    coinbaseValue: subsidy(height, chain.options.halvingInterval) + fees,
    witnessCommitment: witnessCommitmentScript(root, new Uint8Array(32)),
    mempoolUpdates: mempool.updates,
  };
}

function select(chain: Chain, mempool: Mempool): MempoolEntry[] {
  const context = chain.contextAt(chain.tip);
  const ordered = [...mempool.entries()].sort((a, b) => Number(b.fee) / b.weight - Number(a.fee) / a.weight);
  const chosen = new Map<string, MempoolEntry>();
  let weight = RESERVED_WEIGHT;
  let sigops = RESERVED_SIGOPS;
  for (const entry of ordered) {
    const wanted = withParents(entry, mempool, chosen);
    let moreWeight = 0;
    let moreSigops = 0;
    for (const each of wanted) {
      moreWeight += each.weight;
      moreSigops += each.sigopsCost;
    }
    if (weight + moreWeight > MAX_BLOCK_WEIGHT || sigops + moreSigops > MAX_SIGOPS_COST) continue;
    const ready = wanted.every(
      ({ tx }) =>
        isFinal(tx, context.height, context.medianTimePast) &&
        sequenceLocksMet(tx, (key) => mempool.coin(key), context),
    );
    if (!ready) continue;
    for (const each of wanted) chosen.set(each.key, each);
    weight += moreWeight;
    sigops += moreSigops;
  }
  return [...chosen.values()];
}

/** `entry` behind all that it needs and that is not chosen yet. */
function withParents(entry: MempoolEntry, mempool: Mempool, chosen: ReadonlyMap<string, MempoolEntry>): MempoolEntry[] {
  const wanted = new Map<string, MempoolEntry>();
  const visit = (each: MempoolEntry): void => {
    if (chosen.has(each.key) || wanted.has(each.key)) return;
    for (const parent of each.parents) {
      const found = mempool.get(parent);
      if (found !== undefined) visit(found);
    }
    wanted.set(each.key, each);
  };
  visit(entry);
  return [...wanted.values()];
}

/** Least time of a block after `prev`, Unix seconds. */
export function minimumTime(prev: BlockNode): number {
  const least = medianTimePast(prev) + 1;
  return (prev.height + 1) % RETARGET_BLOCKS === 0 ? Math.max(least, prev.header.time - MAX_TIMEWARP_SECONDS) : least;
}

/** The time to begin with for a block after `prev`: the clock, or the least that is allowed. Unix seconds. */
export function templateTime(prev: BlockNode, clock: Clock): number {
  return Math.max(minimumTime(prev), Math.floor(clock.nowMs() / 1000));
}

/** The answer to getblocktemplate, field by field as Core 31 gives it. */
export function templateJson(template: BlockTemplate, clock: Clock): Record<string, unknown> {
  const { prev, transactions } = template;
  const position = new Map(transactions.map((each, i) => [each.key, i + 1]));
  return {
    capabilities: ["proposal"],
    version: TEMPLATE_VERSION,
    rules: ["csv", "!segwit", "taproot"],
    vbavailable: {},
    vbrequired: 0,
    previousblockhash: prev.key,
    transactions: transactions.map((each) => ({
      data: toHex(each.raw),
      txid: each.key,
      hash: toDisplayHex(each.wtxid),
      // One entry per input that spends from this template, as Core lists them.
      depends: each.tx.inputs.flatMap((input) => position.get(toDisplayHex(input.prevHash)) ?? []),
      fee: Number(each.fee),
      sigops: each.sigopsCost,
      weight: each.weight,
    })),
    coinbaseaux: {},
    coinbasevalue: Number(template.coinbaseValue),
    longpollid: `${prev.key}${template.mempoolUpdates}`,
    target: targetFromCompact(template.nBits).toString(16).padStart(64, "0"),
    mintime: minimumTime(prev),
    mutable: ["time", "transactions", "prevblock"],
    noncerange: "00000000ffffffff",
    sigoplimit: MAX_SIGOPS_COST,
    sizelimit: 4_000_000,
    weightlimit: MAX_BLOCK_WEIGHT,
    curtime: templateTime(prev, clock),
    bits: template.nBits.toString(16).padStart(8, "0"),
    height: template.height,
    default_witness_commitment: toHex(template.witnessCommitment),
  };
}
