/**
 * What became of a block. In the best chain it is paid `maturity` blocks later (4000 on mainnet). Beside it, it may be named as
 * an uncle by one of the next ten blocks; then it is paid too, less a part for each block of delay.
 */
import { type BlockStatus, type SubmittedBlock, z } from "bllvm-stratum-v2/plugin";
import { type Payment, paymentsFor, rewardOf } from "./remasc.ts";

/** Asks a node; all questions about a block go to the same one. */
export type Ask = <S extends z.ZodType>(method: string, params: readonly unknown[], schema: S) => Promise<z.output<S>>;

const quantity = z.string().regex(/^0x[0-9a-f]{1,12}$/i, "expected 0x and hex digits");
const hash = z.string().regex(/^0x[0-9a-f]{64}$/i, "expected 0x and 64 hex digits");
const address = z.string().regex(/^0x[0-9a-f]{40}$/i, "expected 0x and 40 hex digits");

const block = z
  .object({
    number: quantity,
    hash,
    miner: address,
    hashForMergedMining: hash.nullish(),
    transactions: z.array(z.string().max(100)).max(10_000),
    uncles: z.array(hash).max(100),
  })
  .nullable();
const uncleHeader = z
  .object({ number: quantity, hash, miner: address, hashForMergedMining: hash.nullish() })
  .nullable();
const receipt = z
  .object({
    logs: z
      .array(z.object({ address, topics: z.array(z.string().max(100)).max(4), data: z.string().max(1000) }))
      .max(2000),
  })
  .nullable();

type Block = NonNullable<z.output<typeof block>>;
type UncleHeader = NonNullable<z.output<typeof uncleHeader>>;

/** Blocks after a height that may name an uncle of it: rskj's limit is 7 generations. */
const UNCLE_BLOCKS = 10;

/** Answers `Chain.status`. */
export async function follow(ask: Ask, ours: SubmittedBlock, maturity: number): Promise<BlockStatus> {
  const { height } = ours;
  const tip = Number(await ask("eth_blockNumber", [], quantity));
  const main = await blockAt(ask, height);
  // The node's chain is shorter than that: it was set back or is still loading.
  if (main === null || tip < height) return { state: "unknown", confirmations: 0, reward: undefined };
  const isPaid = tip >= height + maturity;
  if (isOurs(main, ours)) {
    if (!isPaid) return { state: "confirmed", confirmations: tip - height + 1, reward: undefined };
    const payments = await paid(ask, main, maturity);
    return { state: "mature", confirmations: tip - height + 1, reward: rewardIn(payments, main.miner) };
  }
  const siblings = await unclesOf(ask, height, Math.min(tip, height + UNCLE_BLOCKS));
  const at = siblings.findIndex((uncle) => isOurs(uncle, ours));
  const uncle = siblings[at];
  if (uncle === undefined) return { state: "orphaned", confirmations: 0, reward: undefined };
  if (!isPaid) return { state: "uncle", confirmations: 0, reward: undefined };
  const payments = await paid(ask, main, maturity);
  const reward = rewardIn(payments, uncle.miner, { at, count: siblings.length });
  return { state: "mature", confirmations: 0, reward };
}

/** Without a receipt nobody knows; a receipt that pays nobody for the height says that its blocks had no fees. */
function rewardIn(
  payments: readonly Payment[] | undefined,
  ...whose: [miner: string, uncle?: { readonly at: number; readonly count: number }]
): bigint | undefined {
  if (payments === undefined) return undefined;
  return payments.length === 0 ? 0n : rewardOf(payments, ...whose);
}

/** The uncles of `height` that the blocks up to `last` name, in the order in which they were named. */
async function unclesOf(ask: Ask, height: number, last: number): Promise<readonly UncleHeader[]> {
  const found: UncleHeader[] = [];
  for (let number = height + 1; number <= last; number += 1) {
    const names = (await blockAt(ask, number))?.uncles.length ?? 0;
    for (let index = 0; index < names; index += 1) {
      const params = [toQuantity(number), toQuantity(index)];
      const uncle = await ask("eth_getUncleByBlockNumberAndIndex", params, uncleHeader);
      if (uncle !== null && Number(uncle.number) === height) found.push(uncle);
    }
  }
  return found;
}

/** What REMASC paid for the height of `main`; `undefined` when the node has no receipt of that. */
async function paid(ask: Ask, main: Block, maturity: number): Promise<readonly Payment[] | undefined> {
  const paying = await blockAt(ask, Number(main.number) + maturity);
  const remasc = paying?.transactions.at(-1);
  if (remasc === undefined) return undefined;
  const answer = await ask("eth_getTransactionReceipt", [remasc], receipt);
  return answer === null ? undefined : paymentsFor(main.hash, answer.logs);
}

async function blockAt(ask: Ask, number: number): Promise<Block | null> {
  return await ask("eth_getBlockByNumber", [toQuantity(number), false], block);
}

/**
 * By the hash that the node told when it took the block; by the one that was mined only when that answer was lost, since two solutions of
 * one work are two blocks.
 */
function isOurs(found: Pick<Block, "hash" | "hashForMergedMining">, ours: SubmittedBlock): boolean {
  const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
  if (!same(ours.blockHash, ours.work.id)) return same(found.hash, ours.blockHash);
  return found.hashForMergedMining != null && same(found.hashForMergedMining, ours.work.id);
}

function toQuantity(number: number): string {
  return `0x${number.toString(16)}`;
}
