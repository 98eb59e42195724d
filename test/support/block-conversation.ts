/**
 * One long conversation with a node about blocks: good ones, and for every rule one that breaks it alone. The unit tests
 * hold it with the devnet's chain, the interop tests with Bitcoin Core too; both must give the same answers, step by step.
 */
import { heightPush } from "../../src/bitcoin/coinbase.ts";
import { hash160, sha256 } from "../../src/bitcoin/hash.ts";
import { headerHash } from "../../src/bitcoin/header.ts";
import { opReturn, pushBytes } from "../../src/bitcoin/script.ts";
import { type Transaction, type TxOutput, txid } from "../../src/bitcoin/transaction.ts";
import { type BlockNode, medianTimePast } from "../../src/devnet/node/block-index.ts";
import { REGTEST_GENESIS } from "../../src/devnet/node/genesis.ts";
import type { DevnetNode } from "../../src/devnet/node/node.ts";
import { ANYONE_SCRIPT } from "../../src/devnet/node/synthetic.ts";
import { concat, toDisplayHex } from "../../src/kernel/bytes.ts";
import { ANYONE_WITNESS, bytes, type Draft, draft, type Finish, finish, spendCoinbase } from "./block-draft.ts";

/** One thing said: a block under a name. */
export interface Step {
  readonly name: string;
  readonly block: Uint8Array;
}

const SPENDABLE = { value: 1000n, script: ANYONE_SCRIPT };

/** An OP_CHECKMULTISIG counts twenty; a branch that is never taken may be full of them. */
const MANY_SIGOPS = concat(Uint8Array.of(0x00, 0x63), new Uint8Array(1001).fill(0xae), Uint8Array.of(0x68, 0x51));

/** A copy of `tx` with other outputs. */
const paying = (tx: Transaction, ...outputs: readonly TxOutput[]): Transaction => ({ ...tx, outputs });

/**
 * The steps, each built when it is its turn, on what `node` holds then. `node` has a history of at least 110 blocks and an
 * empty mempool, and gets every block submitted before the next is asked for. `now` gives Unix seconds.
 */
export function* blockConversation(node: DevnetNode, now: () => number): Generator<Step, void> {
  const { chain } = node;
  const block = (change: (base: Draft) => Partial<Draft> = () => ({}), how: Finish = {}, parent?: BlockNode) => {
    const base = draft(node, now(), parent);
    return finish({ ...base, ...change(base) }, how);
  };
  const coinbase = (change: (tx: Transaction) => Partial<Transaction>) => (base: Draft) => ({
    coinbase: { ...base.coinbase, ...change(base.coinbase) },
  });
  const script = (make: (base: Draft) => Uint8Array) => (base: Draft) => ({
    coinbase: { ...base.coinbase, inputs: base.coinbase.inputs.map((input) => ({ ...input, script: make(base) })) },
  });
  const header = (change: (base: Draft) => Partial<Draft["header"]>) => (base: Draft) => ({
    header: { ...base.header, ...change(base) },
  });
  const withTxs =
    (...transactions: readonly Transaction[]) =>
    () => ({ transactions });
  let nextCoinbase = 1;
  const spend = (change: Partial<Transaction> = {}): Transaction => spendCoinbase(node, nextCoinbase, change);

  // Good blocks and what may come twice.
  const first = block();
  yield { name: "an empty block", block: first };
  yield { name: "the same block again", block: first };
  const parent = chain.tip.prev;
  yield { name: "a sibling of the tip", block: block(undefined, {}, parent) };
  yield { name: "the first block of all", block: REGTEST_GENESIS };
  yield { name: "a block with bytes behind it", block: concat(block(), Uint8Array.of(1, 2, 3)) };
  yield { name: "a coinbase that takes less than it may", block: block(coinbase(() => ({ outputs: [SPENDABLE] }))) };
  const bare = { commit: true, late: withoutWitness } as const;
  yield { name: "a commitment, and a coinbase without its witness", block: block(undefined, bare) };
  yield { name: "no commitment and no witness", block: block(undefined, { commit: false }) };

  // Proof of work and merkle root.
  yield { name: "a hash above the target", block: block(undefined, { solved: false }) };
  yield { name: "a negative target", block: block(header(() => ({ nBits: 0x01fedcba }))) };
  yield { name: "a target of zero", block: block(header(() => ({ nBits: 0x01003456 }))) };
  yield { name: "a target above the limit", block: block(header(() => ({ nBits: 0x217fffff }))) };
  yield { name: "another merkle root", block: block(undefined, { keepRoot: true }) };
  const twice = paying(spend(), SPENDABLE);
  const child = childOf(twice);
  const doubled = draft(node, now());
  const honest = finish({ ...doubled, transactions: [twice, child] });
  yield { name: "a last transaction that stands twice (CVE-2012-2459)", block: doubleLast(honest, child) };
  yield { name: "the same block without the repetition", block: honest };
  nextCoinbase++;

  // The shape of blocks and transactions.
  const nothing = draft(node, now());
  yield { name: "no transaction at all", block: emptyBlock(nothing) };
  yield {
    name: "a first transaction that is no coinbase",
    block: block(() => ({ coinbase: spend() }), { commit: false }),
  };
  yield {
    name: "two coinbases",
    block: block((base) => ({ transactions: [draft(node, 0).coinbase, ...base.transactions] })),
  };
  yield { name: "a coinbase script of one byte", block: block(script(() => Uint8Array.of(0x51))) };
  const long = (base: Draft, size: number) => concat(heightPush(base.height), new Uint8Array(size)).subarray(0, size);
  yield { name: "a coinbase script of 101 bytes", block: block(script((base) => long(base, 101))) };
  yield { name: "a coinbase script of 100 bytes", block: block(script((base) => long(base, 100))) };
  yield {
    name: "a coinbase without outputs",
    block: block(
      coinbase(() => ({ outputs: [] })),
      { commit: false },
    ),
  };
  const value = (...values: readonly bigint[]) =>
    coinbase(() => ({ outputs: values.map((each) => ({ value: each, script: ANYONE_SCRIPT })) }));
  yield { name: "a negative output", block: block(value(2n ** 64n - 1n)) };
  yield { name: "an output above 21 million BTC", block: block(value(2_100_000_000_000_001n)) };
  yield { name: "outputs above 21 million BTC together", block: block(value(2_100_000_000_000_000n, 1n)) };
  const [input] = spend().inputs;
  yield { name: "the same input twice", block: block(withTxs(spend({ inputs: [input!, input!] }))) };
  const none = { ...input!, prevHash: new Uint8Array(32), prevIndex: 0xffffffff, witness: [] };
  yield { name: "an input that spends nothing", block: block(withTxs(spend({ inputs: [input!, none] }))) };
  const expensive = Array.from({ length: 4 }, () => ({ value: 0n, script: MANY_SIGOPS.slice(0, 1003) }));
  yield { name: "too many legacy signature operations", block: block(coinbase(() => ({ outputs: expensive }))) };
  const big = opReturn(new Uint8Array(1_000_000));
  yield {
    name: "more than a megabyte without witnesses",
    block: block(coinbase((tx) => ({ outputs: [...tx.outputs, { value: 0n, script: big }] }))),
  };

  // The header against its parent and the clock.
  yield { name: "an unknown parent", block: block(header(() => ({ prevHash: new Uint8Array(32).fill(7) }))) };
  yield { name: "another target than is due", block: block(header(() => ({ nBits: 0x207ffffe }))) };
  yield {
    name: "a time that is the median of the last eleven",
    block: block(header(() => ({ time: medianTimePast(chain.tip) }))),
  };
  yield { name: "a time one second later", block: block(header(() => ({ time: medianTimePast(chain.tip) + 1 }))) };
  yield { name: "a time more than two hours ahead", block: block(header(() => ({ time: now() + 7210 }))) };
  yield { name: "a time less than two hours ahead", block: block(header(() => ({ time: now() + 7190 }))) };
  yield { name: "version 3", block: block(header(() => ({ version: 3 }))) };
  yield { name: "a negative version", block: block(header(() => ({ version: 0x80000004 }))) };
  yield { name: "version 4", block: block(header(() => ({ version: 4 }))) };
  yield { name: "all version bits of BIP320 rolled", block: block(header(() => ({ version: 0x3fffe000 }))) };

  // The block at its height.
  yield {
    name: "another height in the coinbase",
    block: block(script((base) => concat(heightPush(base.height + 1), Uint8Array.of(0)))),
  };
  yield {
    name: "the height in a longer push",
    block: block(script((base) => Uint8Array.of(2, base.height & 0xff, base.height >> 8))),
  };
  const locked = (lockTime: number, sequence = 0xfffffffe): Transaction => {
    const tx = spend();
    return { ...tx, lockTime, inputs: tx.inputs.map((each) => ({ ...each, sequence })) };
  };
  yield { name: "a transaction locked until this height", block: block(withTxs(locked(chain.tip.height + 1))) };
  yield {
    name: "a transaction locked until the median time",
    block: block(withTxs(locked(medianTimePast(chain.tip)))),
  };
  yield {
    name: "a coinbase locked until this height",
    block: block(
      coinbase((tx) => ({
        lockTime: chain.tip.height + 1,
        inputs: tx.inputs.map((each) => ({ ...each, sequence: 0 })),
      })),
    ),
  };
  yield { name: "a lock that final sequences lift", block: block(withTxs(locked(chain.tip.height + 100, 0xffffffff))) };
  nextCoinbase++;
  yield { name: "a transaction locked until the height before", block: block(withTxs(locked(chain.tip.height))) };
  nextCoinbase++;

  // Witnesses.
  yield { name: "a witness without a commitment", block: block(withTxs(spend()), { commit: false }) };
  const witness = (...items: readonly Uint8Array[]): Finish => ({
    late: (tx) => ({ ...tx, inputs: tx.inputs.map((each) => ({ ...each, witness: items })) }),
  });
  yield { name: "a witness nonce of 31 bytes", block: block(undefined, witness(new Uint8Array(31))) };
  yield {
    name: "two witness items in the coinbase",
    block: block(undefined, witness(new Uint8Array(32), new Uint8Array(32))),
  };
  yield {
    name: "another witness nonce than was committed to",
    block: block(undefined, witness(new Uint8Array(32).fill(1))),
  };
  const wrong = { value: 0n, script: concat(Uint8Array.of(0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed), new Uint8Array(32)) };
  yield {
    name: "a wrong commitment behind the right one",
    block: block(undefined, { late: (tx) => ({ ...tx, outputs: [...tx.outputs, wrong] }) }),
  };
  yield {
    name: "a wrong commitment before the right one",
    block: block(coinbase((tx) => ({ outputs: [...tx.outputs, wrong] }))),
  };
  const heavy = spend();
  const stuffed = {
    ...heavy,
    inputs: heavy.inputs.map((each) => ({ ...each, witness: [new Uint8Array(3_999_000), ...each.witness] })),
  };
  yield { name: "more than four million weight units", block: block(withTxs(stuffed)) };

  // Coins.
  const unknown = { ...input!, prevHash: new Uint8Array(32).fill(9) };
  yield { name: "an input that never was", block: block(withTxs(spend({ inputs: [unknown] }))) };
  const rival = paying(spend(), { ...SPENDABLE, value: 999n });
  yield { name: "two transactions that spend the same", block: block(withTxs(spend(), rival)) };
  yield { name: "an input that was spent before", block: block(withTxs(spendCoinbase(node, 1))) };
  yield {
    name: "a coinbase spent one block too early",
    block: block(withTxs(spendCoinbase(node, chain.tip.height + 1 - 99))),
  };
  yield {
    name: "a coinbase spent as early as may be",
    block: block(withTxs(spendCoinbase(node, chain.tip.height + 1 - 100))),
  };
  const whole = spend();
  const more = paying(whole, { ...SPENDABLE, value: whole.outputs[0]!.value + 1n });
  yield { name: "a transaction that pays out more than comes in", block: block(withTxs(more)) };
  const relative = (sequence: number): Transaction => ({ ...locked(0, sequence) });
  yield { name: "a relative lock that still holds (BIP68, blocks)", block: block(withTxs(relative(0xffff))) };
  yield { name: "a relative lock that still holds (BIP68, time)", block: block(withTxs(relative(0x0040ffff))) };
  yield {
    name: "a relative lock in a transaction of version 1",
    block: block(withTxs({ ...relative(0xffff), version: 1 })),
  };
  nextCoinbase++;
  yield { name: "a relative lock that has ended", block: block(withTxs(relative(50))) };
  nextCoinbase++;
  yield {
    name: "a coinbase that takes a sat too much",
    block: block(coinbase((tx) => ({ outputs: [{ ...tx.outputs[0]!, value: tx.outputs[0]!.value + 1n }] }))),
  };
  const fee = paying(spend(), { ...SPENDABLE, value: spend().outputs[0]!.value - 777n });
  const rich = (extra: bigint) => (base: Draft) => ({
    transactions: [fee],
    ...coinbase((tx) => ({ outputs: [{ ...tx.outputs[0]!, value: tx.outputs[0]!.value + extra }] }))(base),
  });
  yield { name: "a coinbase that takes a sat more than the fees", block: block(rich(778n)) };
  yield { name: "a coinbase that takes all fees", block: block(rich(777n)) };
  nextCoinbase++;

  // Signature operations behind hashes: the transactions before them make the outputs.
  const p2sh = concat(Uint8Array.of(0xa9), pushBytes(hash160(MANY_SIGOPS.slice(0, 500))), Uint8Array.of(0x87));
  const p2wsh = concat(Uint8Array.of(0x00), pushBytes(sha256(MANY_SIGOPS)));
  const funding = paying(
    spend(),
    ...Array.from({ length: 20 }, (_, i) => ({ value: 1000n, script: i < 10 ? p2sh : p2wsh })),
  );
  nextCoinbase++;
  yield { name: "outputs whose scripts are behind hashes", block: block(withTxs(funding)) };
  const spendFunding = (
    from: number,
    count: number,
    unlock: { script: Uint8Array; witness: readonly Uint8Array[] },
  ): Transaction => ({
    version: 2,
    inputs: Array.from({ length: count }, (_, i) => ({
      prevHash: txid(funding),
      prevIndex: from + i,
      sequence: 0xffffffff,
      ...unlock,
    })),
    outputs: [{ value: 0n, script: ANYONE_SCRIPT }],
    lockTime: 0,
  });
  const viaP2sh = { script: pushBytes(MANY_SIGOPS.slice(0, 500)), witness: [] };
  yield { name: "too many signature operations behind P2SH", block: block(withTxs(spendFunding(0, 3, viaP2sh))) };
  const viaP2wsh = { script: new Uint8Array(), witness: [MANY_SIGOPS] };
  yield { name: "too many signature operations behind P2WSH", block: block(withTxs(spendFunding(10, 5, viaP2wsh))) };

  // Order inside a block, and all kinds of locks.
  const lock = ANYONE_WITNESS[0]!;
  const kinds = [lock, concat(Uint8Array.of(0xa9), pushBytes(hash160(lock)), Uint8Array.of(0x87)), ANYONE_SCRIPT];
  const older = paying(spend(), ...kinds.map((each) => ({ value: 10_000n, script: each })));
  const younger: Transaction = {
    ...older,
    inputs: [
      { prevHash: txid(older), prevIndex: 0, script: new Uint8Array(), sequence: 0xffffffff, witness: [] },
      { prevHash: txid(older), prevIndex: 1, script: pushBytes(lock), sequence: 0xffffffff, witness: [] },
      { prevHash: txid(older), prevIndex: 2, script: new Uint8Array(), sequence: 0xffffffff, witness: ANYONE_WITNESS },
    ],
    outputs: [{ value: 30_000n, script: ANYONE_SCRIPT }],
  };
  yield { name: "a child before its parent", block: block(withTxs(younger, older)) };
  yield { name: "a child behind its parent", block: block(withTxs(older, younger)) };
  nextCoinbase++;

  // What happens to blocks that were refused.
  const greedy = block(value(10_000_000_000n));
  yield { name: "a block that takes far too much", block: greedy };
  yield { name: "that block again", block: greedy };
  const onGreedy = draft(node, now());
  yield {
    name: "a block on top of it",
    block: finish({ ...onGreedy, header: { ...onGreedy.header, prevHash: headerHash(greedy.subarray(0, 80)) } }),
  };
  const good = draft(node, now());
  const tampered = finish({ ...good, transactions: [spend()] });
  const flipped = Uint8Array.from(tampered);
  // The last byte of the witness stands before the four of the lock time.
  flipped[flipped.length - 5] = 0x52;
  yield { name: "a block whose witness was changed on the way", block: flipped };
  yield { name: "the same block with the right witness", block: tampered };
  nextCoinbase++;

  // Forks.
  const fork = chain.tip;
  yield { name: "the first of two blocks at the same height", block: block() };
  const second = block(undefined, {}, fork);
  yield { name: "the second of two blocks at the same height", block: second };
  const secondNode = chain.find(toDisplayHex(headerHash(second.subarray(0, 80))))!;
  yield { name: "a block on the second: it becomes the chain", block: block(undefined, {}, secondNode) };
  const under = chain.tip;
  yield { name: "a block on the new chain", block: block() };
  const badSide = block(value(9_000_000_000n), {}, under);
  yield { name: "a block beside the tip that takes too much", block: badSide };
  const badNode = chain.find(toDisplayHex(headerHash(badSide.subarray(0, 80))))!;
  const onBadSide = block(undefined, {}, badNode);
  yield { name: "a block on it: the change of chains fails", block: onBadSide };
  yield { name: "the greedy one of them again", block: badSide };
  yield { name: "the one on top again", block: onBadSide };
  yield { name: "a block on the chain that stayed", block: block(withTxs(spend())) };
}

/** A block of a draft with no transaction, which `finish` cannot make. */
function emptyBlock(base: Draft): Uint8Array {
  const whole = finish(base, { keepRoot: true });
  return concat(whole.subarray(0, 80), Uint8Array.of(0));
}

/** `block` of three transactions with its last one, `last`, a second time. */
function doubleLast(block: Uint8Array, last: Transaction): Uint8Array {
  const copy = Uint8Array.from(block);
  copy[80] = 4;
  return concat(copy, bytes(last));
}

function childOf(tx: Transaction): Transaction {
  return {
    version: 2,
    inputs: [
      { prevHash: txid(tx), prevIndex: 0, script: new Uint8Array(), sequence: 0xffffffff, witness: ANYONE_WITNESS },
    ],
    outputs: [{ value: 500n, script: ANYONE_SCRIPT }],
    lockTime: 0,
  };
}

function withoutWitness(tx: Transaction): Transaction {
  return { ...tx, inputs: tx.inputs.map((each) => ({ ...each, witness: [] })) };
}
