/** Templates: choice and order of transactions, times, and that a solved template is a block. */
import { describe, expect, test } from "vitest";
import { serializeTransaction, type Transaction, txid } from "../../../../src/bitcoin/transaction.ts";
import { txData } from "../../../../src/devnet/node/block-data.ts";
import { medianTimePast } from "../../../../src/devnet/node/block-index.ts";
import { mine } from "../../../../src/devnet/node/generate.ts";
import { ANYONE_SCRIPT } from "../../../../src/devnet/node/synthetic.ts";
import { buildTemplate, minimumTime, templateJson, templateTime } from "../../../../src/devnet/node/template.ts";
import { toDisplayHex } from "../../../../src/kernel/bytes.ts";
import { ANYONE_WITNESS } from "../../../support/block-draft.ts";
import { devnet } from "../../../support/devnet.ts";

const key = (tx: Transaction): string => toDisplayHex(txid(tx));

function offer(net: ReturnType<typeof devnet>, tx: Transaction): Transaction {
  expect(net.mempool.accept(txData(tx, serializeTransaction(tx, { witness: true })))).toBeUndefined();
  return tx;
}

/** Spends `parent`'s first output, or a coinbase, with `fee` and `extra` bytes of witness. */
function pay(net: ReturnType<typeof devnet>, from: Transaction | number, fee: bigint, extra = 0): Transaction {
  const parent = typeof from === "number" ? net.chain.at(from)!.data!.txs[0]!.tx : from;
  const witness = [...(extra > 0 ? [new Uint8Array(extra)] : []), ...ANYONE_WITNESS];
  return {
    version: 2,
    inputs: [{ prevHash: txid(parent), prevIndex: 0, script: new Uint8Array(), sequence: 0xffffffff, witness }],
    outputs: [{ value: parent.outputs[0]!.value - fee, script: ANYONE_SCRIPT }],
    lockTime: 0,
  };
}

const names = (net: ReturnType<typeof devnet>): string[] =>
  buildTemplate(net.chain, net.mempool).transactions.map((each) => each.key);

describe("choice of transactions", () => {
  test("by fee rate, a child only behind its parent", () => {
    const net = devnet();
    const poor = offer(net, pay(net, 1, 100n));
    const rich = offer(net, pay(net, 2, 50_000n));
    const child = offer(net, pay(net, poor, 20_000n));
    const middle = offer(net, pay(net, 3, 10_000n));
    expect(names(net)).toEqual([rich, poor, child, middle].map(key));
    const { coinbaseValue } = buildTemplate(net.chain, net.mempool);
    expect(coinbaseValue).toBe(5_000_000_000n + 80_100n);
  });

  test("no heavier than a block may be", () => {
    const net = devnet({ transactions: { atLeast: 0 } });
    for (let height = 1; height <= 11; height++) offer(net, pay(net, height, BigInt(height), 390_000));
    const { transactions } = buildTemplate(net.chain, net.mempool);
    const weight = transactions.reduce((sum, each) => sum + each.weight, 0);
    expect(transactions.length).toBe(10);
    expect(weight).toBeLessThanOrEqual(4_000_000 - 8000);
    expect(weight).toBeGreaterThan(3_800_000);
    expect(transactions.some((each) => each.fee === 1n)).toBe(false);
  });
});

test("every template solved is a block, with and without transactions, through halvings", async () => {
  const net = devnet({ transactions: { atLeast: 8 } });
  for (let i = 0; i < 60; i++) {
    net.clock.advance(1000);
    const template = buildTemplate(net.chain, net.mempool);
    expect(template.transactions.length).toBeGreaterThan(0);
    const plan = { script: ANYONE_SCRIPT, time: templateTime(template.prev, net.clock), extranonce: Uint8Array.of(i) };
    const { value } = mine(template, plan).next();
    expect(net.chain.submit(value!)).toBeNull();
  }
  expect(net.chain.tip.height).toBe(170);
  expect(buildTemplate(net.chain, net.mempool).coinbaseValue).toBeLessThan(2_600_000_000n);
});

describe("times", () => {
  test("begin at the clock, and never below the median", async () => {
    const net = devnet();
    const { chain, clock } = net;
    expect(templateTime(chain.tip, clock)).toBe(Math.floor(clock.nowMs() / 1000));
    clock.jumpTo(0);
    expect(templateTime(chain.tip, clock)).toBe(medianTimePast(chain.tip) + 1);
    expect(minimumTime(chain.tip)).toBe(medianTimePast(chain.tip) + 1);
  });

  test("at a retarget height stay close to the parent's (BIP94)", async () => {
    const { chain, clock } = devnet({ initialBlocks: 143 });
    const tip = chain.tip;
    expect((tip.height + 1) % 144).toBe(0);
    // A minute between blocks: the parent lies five minutes above the median, less than the ten that matter.
    expect(minimumTime(tip)).toBe(medianTimePast(tip) + 1);
    expect(minimumTime({ ...tip, header: { ...tip.header, time: tip.header.time + 7200 } })).toBe(
      tip.header.time + 6600,
    );
    expect(templateJson(buildTemplate(chain, devnet().mempool), clock)).toMatchObject({ height: 144 });
  });
});
