/** A Bitcoin node as the mining server sees it, scripted: templates when the test says so, found blocks kept. */
import { parseBlock } from "../../src/bitcoin/block.ts";
import {
  findWitnessCommitment,
  heightPush,
  subsidy,
  witnessCommitmentScript,
  witnessRoot,
} from "../../src/bitcoin/coinbase.ts";
import { headerHash } from "../../src/bitcoin/header.ts";
import { merklePathOfFirst, merkleRoot } from "../../src/bitcoin/merkle.ts";
import { opReturn } from "../../src/bitcoin/script.ts";
import { meetsTarget, targetFromCompact } from "../../src/bitcoin/target.ts";
import { serializeTransaction, type Transaction, txid, wtxid } from "../../src/bitcoin/transaction.ts";
import { equal, toHex, utf8 } from "../../src/kernel/bytes.ts";
import type { Unsubscribe } from "../../src/kernel/events.ts";
import type { BlockAnswer, BlockSink, FoundBlock, JobSource, TemplateCause } from "../../src/mining/ports.ts";
import type { Template } from "../../src/mining/template.ts";
import { seededRandom } from "./seeded-random.ts";

/** Regtest's target: every second hash is a block. */
export const EASY_BITS = 0x207fffff;
/** Difficulty 1: no test finds such a block by accident. */
export const HARD_BITS = 0x1d00ffff;

const HALVING_INTERVAL = 210_000;

/** What a test may say about a template. */
export interface TemplateWish {
  readonly height: number;
  readonly prevHash: Uint8Array;
  readonly nBits?: number;
  /** Segwit transactions besides the coinbase. */
  readonly transactions?: number;
  readonly minTime?: number;
  readonly curTime?: number;
}

let made = 0;

/** A template with a witness commitment over made-up transactions, as getblocktemplate would give it. */
export function makeTemplate(wish: TemplateWish): Template {
  const { height, prevHash, nBits = HARD_BITS, transactions: count = 3, minTime = 1_700_000_000 } = wish;
  const transactions = Array.from({ length: count }, (_, i) => spend(height * 1000 + i + made));
  const nonce = new Uint8Array(32);
  const commitment = witnessCommitmentScript(witnessRoot([nonce, ...transactions.map(wtxid)]), nonce);
  const fees = BigInt(count) * 1000n;
  return {
    id: `template-${++made}`,
    source: "fake",
    prevHash,
    height,
    version: 0x20000000,
    nBits,
    target: targetFromCompact(nBits),
    minTime,
    curTime: wish.curTime ?? minTime + 100,
    coinbaseValue: subsidy(height, HALVING_INTERVAL) + fees,
    coinbase: {
      txVersion: 2,
      prefix: heightPush(height),
      sequence: 0xfffffffe,
      lockTime: height - 1,
      outputs: [{ value: 0n, script: commitment }],
      witness: [nonce],
    },
    merklePath: merklePathOfFirst(transactions.map(txid)),
    transactions: transactions.map((tx) => serializeTransaction(tx, { witness: true })),
    wtxids: transactions.map(wtxid),
    fees: transactions.map(() => 1000n),
    transactionCount: count + 1,
    coinbaseRoom: { bytes: 1000, sigops: 400 },
  };
}

function spend(seed: number): Transaction {
  const random = seededRandom(seed);
  return {
    version: 2,
    inputs: [
      {
        prevHash: random.bytes(32),
        prevIndex: 0,
        script: new Uint8Array(),
        sequence: 0xffffffff,
        witness: [random.bytes(71), random.bytes(33)],
      },
    ],
    outputs: [{ value: 5000n, script: opReturn(utf8(`output ${seed}`)) }],
    lockTime: 0,
  };
}

/** Gives templates on command. */
export class FakeJobSource implements JobSource {
  readonly name = "fake node";
  readonly #listeners = new Set<(template: Template, cause: TemplateCause) => void>();
  #current: Template | undefined;

  /** `template`: the one it begins with; `undefined` plays a node that is still starting. */
  constructor(template: Template | undefined) {
    this.#current = template;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  current(): Template | undefined {
    return this.#current;
  }

  onTemplate(listener: (template: Template, cause: TemplateCause) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Offers any template. */
  offer(template: Template, cause: TemplateCause): void {
    this.#current = template;
    for (const listener of this.#listeners) listener(template, cause);
  }

  /** The node is gone: there is no template that it would vouch for. */
  lose(): void {
    this.#current = undefined;
  }

  /** Another block came: a template on top of it. */
  newBlock(wish: Partial<TemplateWish> = {}): Template {
    const template = makeTemplate({ ...this.#base(1), prevHash: seededRandom(++made).bytes(32), ...wish });
    this.offer(template, "newBlock");
    return template;
  }

  /** The mempool changed: a template on the same block. */
  refresh(wish: Partial<TemplateWish> = {}): Template {
    const template = makeTemplate({ ...this.#base(0), transactions: 5, ...wish });
    this.offer(template, "refresh");
    return template;
  }

  #base(step: number): TemplateWish {
    const {
      height = 0,
      prevHash = new Uint8Array(32),
      nBits = HARD_BITS,
      minTime = 1_700_000_000,
    } = this.#current ?? {};
    return { height: height + step, prevHash, nBits, minTime };
  }
}

/** Keeps found blocks; `drained` waits until the test lets go. */
export class FakeBlockSink implements BlockSink {
  readonly blocks: FoundBlock[] = [];
  /** What `drained` waits for. */
  released: Promise<void> = Promise.resolve();
  readonly #waiting = new Set<() => void>();

  submit(block: FoundBlock): void {
    this.blocks.push(block);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  onAnswer(_listener: (block: FoundBlock, answer: BlockAnswer) => void): Unsubscribe {
    return () => undefined;
  }

  drained(signal: AbortSignal): Promise<void> {
    return Promise.race([
      this.released,
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
    ]);
  }

  /** Resolves with the first block, present or future. */
  async first(): Promise<FoundBlock> {
    if (this.blocks.length === 0) await new Promise<void>((resolve) => void this.#waiting.add(resolve));
    return this.blocks[0] as FoundBlock;
  }
}

/**
 * Why a node would refuse `block` of `template`, or `undefined`: proof of work, merkle root, coinbase script, value and witness
 * commitment are judged from the bytes alone.
 */
export function refusal(block: FoundBlock, template: Template): string | undefined {
  if (block.block === undefined) return "no block";
  const { header, headerBytes, transactions, rawTransactions } = parseBlock(block.block);
  const [coinbase] = transactions;
  const [input] = coinbase?.inputs ?? [];
  if (coinbase === undefined || input === undefined) return "bad-cb-missing";
  if (!equal(header.prevHash, template.prevHash)) return "prev-blk-not-found";
  if (header.nBits !== template.nBits) return "bad-diffbits";
  if (!meetsTarget(headerHash(headerBytes), targetFromCompact(header.nBits))) return "high-hash";
  if (header.time < template.minTime) return "time-too-old";
  if (!equal(merkleRoot(transactions.map(txid)), header.merkleRoot)) return "bad-txnmrklroot";
  if (!toHex(input.script).startsWith(toHex(heightPush(template.height)))) return "bad-cb-height";
  if (input.script.length < 2 || input.script.length > 100) return "bad-cb-length";
  const paid = coinbase.outputs.reduce((sum, { value }) => sum + value, 0n);
  if (paid > template.coinbaseValue) return "bad-cb-amount";
  const found = findWitnessCommitment(coinbase.outputs);
  const [nonce = new Uint8Array()] = input.witness;
  if (nonce.length !== 32 || input.witness.length !== 1) return "bad-witness-nonce-size";
  const expected = witnessCommitmentScript(witnessRoot(transactions.map(wtxid)), nonce).subarray(6);
  if (found === undefined || !equal(found.commitment, expected)) return "bad-witness-merkle-match";
  if (rawTransactions.length !== template.transactionCount) return "transactions are missing";
  return undefined;
}
