/** What became of a block, on a chain of made-up blocks. */
import type { SubmittedBlock } from "bllvm-stratum-v2/plugin";
import { describe, expect, test } from "vitest";
import { type Ask, follow } from "./follow.ts";

const hash = (number: number, branch = 0) =>
  `0x${branch.toString(16).padStart(2, "0")}${number.toString(16).padStart(62, "0")}`;
const OURS = `0x${"aa".repeat(20)}`;
const OTHER = `0x${"bb".repeat(20)}`;
const REMASC = "0x0000000000000000000000000000000001000008";
const MATURITY = 20;
const HEIGHT = 100;

interface Made {
  hash: string;
  miner: string;
  uncles: { hash: string; number: number; miner: string }[];
}

/** A node with the blocks up to `tip`; `change` alters them before they are asked for. */
function node(
  tip: number,
  change: (blocks: Map<number, Made>) => void = () => {},
  payments: [string, string, bigint][] | "no receipt" = [],
) {
  const blocks = new Map<number, Made>();
  for (let number = 0; number <= tip; number += 1) blocks.set(number, { hash: hash(number), miner: OTHER, uncles: [] });
  change(blocks);
  const asked: string[] = [];
  const ask: Ask = async (method, params, schema) => {
    asked.push(method);
    const block = blocks.get(Number(params[0]));
    const answers: Record<string, () => unknown> = {
      eth_blockNumber: () => `0x${tip.toString(16)}`,
      eth_getBlockByNumber: () =>
        block === undefined
          ? null
          : {
              number: params[0],
              hash: block.hash,
              miner: block.miner,
              hashForMergedMining: `0x${"9".repeat(60)}${Number(params[0]).toString(16).padStart(4, "0")}`,
              transactions: ["0x01", `0xremasc${params[0]}`],
              uncles: block.uncles.map((uncle) => uncle.hash),
            },
      eth_getUncleByBlockNumberAndIndex: () => {
        const uncle = block?.uncles[Number(params[1])];
        return uncle === undefined ? null : { ...uncle, number: `0x${uncle.number.toString(16)}` };
      },
      eth_getTransactionReceipt: () =>
        payments === "no receipt" || params[0] !== `0xremasc0x${(HEIGHT + MATURITY).toString(16)}`
          ? null
          : {
              logs: payments.map(([to, of, wei]) => ({
                address: REMASC,
                topics: [
                  "0x000000000000000000000000000000006d696e696e675f6665655f746f706963",
                  `0x${"0".repeat(24)}${to.slice(2)}`,
                ],
                data: `0xe3a0${of.slice(2)}81${wei.toString(16)}`,
              })),
            },
    };
    return schema.parse(answers[method]?.());
  };
  return { ask, asked };
}

const block = (blockHash: string): SubmittedBlock => ({
  work: {
    id: hash(7, 7),
    hash: new Uint8Array(32),
    parent: hash(99),
    height: HEIGHT,
    target: 1n,
    value: 5n,
    details: {},
  },
  blockHash,
  height: HEIGHT,
});

describe("a block in the best chain", () => {
  const mine = (blocks: Map<number, Made>) => blocks.set(HEIGHT, { hash: hash(HEIGHT, 1), miner: OURS, uncles: [] });

  test("has as many confirmations as blocks from it on, itself included", async () => {
    for (const [tip, confirmations] of [
      [100, 1],
      [101, 2],
      [119, 20],
    ] as const) {
      const { ask } = node(tip, mine);
      expect(await follow(ask, block(hash(HEIGHT, 1)), MATURITY)).toEqual({
        state: "confirmed",
        confirmations,
        reward: undefined,
      });
    }
  });

  test("is mature when REMASC ran for it, with what it paid to the block's miner", async () => {
    const { ask } = node(120, mine, [
      [OTHER, hash(HEIGHT, 1), 200n],
      [OURS, hash(99), 180n],
      [OURS, hash(HEIGHT, 1), 150n],
    ]);
    expect(await follow(ask, block(hash(HEIGHT, 1)), MATURITY)).toEqual({
      state: "mature",
      confirmations: 21,
      reward: 150n,
    });
  });

  test("is mature with an unknown reward when the node has no such receipt, or it pays somebody else", async () => {
    for (const payments of ["no receipt", [[OTHER, hash(HEIGHT, 1), 150n]]] as const) {
      const { ask } = node(120, mine, payments === "no receipt" ? payments : payments.map((each) => [...each]));
      expect(await follow(ask, block(hash(HEIGHT, 1)), MATURITY)).toEqual({
        state: "mature",
        confirmations: 21,
        reward: undefined,
      });
    }
  });

  test("pays nothing when REMASC ran and paid nobody for it: a block without fees is no riddle", async () => {
    const { ask } = node(120, mine, [[OURS, hash(99), 180n]]);
    expect(await follow(ask, block(hash(HEIGHT, 1)), MATURITY)).toEqual({
      state: "mature",
      confirmations: 21,
      reward: 0n,
    });
  });

  test("is found by the hash that was mined when the node's answer was lost", async () => {
    const { ask } = node(105);
    const lost = { ...block("0x"), work: { ...block("").work, id: `0x${"9".repeat(60)}0064` } };
    expect(await follow(ask, { ...lost, blockHash: lost.work.id }, MATURITY)).toMatchObject({ state: "confirmed" });
  });

  test("is compared without regard to case", async () => {
    const { ask } = node(100, (blocks) =>
      blocks.set(HEIGHT, { hash: `0x${"ab".repeat(32)}`, miner: OURS, uncles: [] }),
    );
    expect(await follow(ask, block(`0x${"AB".repeat(32)}`), MATURITY)).toMatchObject({ state: "confirmed" });
  });
});

describe("a block beside the best chain", () => {
  const ours = hash(HEIGHT, 2);
  const uncle = (number: number, of: string, miner: string) => ({ hash: of, number, miner });

  test("is an uncle when one of the next ten blocks names it", async () => {
    const at = (number: number) => (blocks: Map<number, Made>) =>
      blocks.set(number, { hash: hash(number), miner: OTHER, uncles: [uncle(HEIGHT, ours, OURS)] });
    const status = async (number: number) => (await follow(node(115, at(number)).ask, block(ours), MATURITY)).state;
    expect(await status(101)).toBe("uncle");
    expect(await status(110)).toBe("uncle");
    expect(await status(111)).toBe("orphaned");
  });

  test("has no confirmations as an uncle, and is mature when it was paid, with its own payment", async () => {
    const { ask } = node(
      120,
      (blocks) => {
        blocks.set(101, {
          hash: hash(101),
          miner: OTHER,
          uncles: [uncle(99, hash(99, 9), OURS), uncle(HEIGHT, hash(HEIGHT, 8), OURS)],
        });
        blocks.set(103, { hash: hash(103), miner: OTHER, uncles: [uncle(HEIGHT, ours, OURS)] });
      },
      // Two publishers, the two uncles in the order in which they were named, the main block's miner.
      [
        [OTHER, hash(HEIGHT), 131n],
        [OTHER, hash(HEIGHT), 132n],
        [OURS, hash(HEIGHT), 141n],
        [OURS, hash(HEIGHT), 142n],
        [OTHER, hash(HEIGHT), 150n],
      ],
    );
    expect(await follow(ask, block(ours), MATURITY)).toEqual({ state: "mature", confirmations: 0, reward: 142n });
  });

  test("is not taken for the other solution of its work that won", async () => {
    const { ask } = node(105);
    const { work } = block("");
    const second = { ...block(ours), work: { ...work, id: `0x${"9".repeat(60)}0064` } };
    expect(await follow(ask, second, MATURITY)).toMatchObject({ state: "orphaned", confirmations: 0 });
  });

  test("is orphaned when none names it", async () => {
    const { ask } = node(130);
    expect(await follow(ask, block(ours), MATURITY)).toEqual({
      state: "orphaned",
      confirmations: 0,
      reward: undefined,
    });
  });

  test("asks for no block beyond the tip", async () => {
    const { ask, asked } = node(102);
    await follow(ask, block(ours), MATURITY);
    expect(asked.filter((method) => method === "eth_getBlockByNumber")).toHaveLength(3);
  });
});

test("a block above the node's tip is unknown to it", async () => {
  const { ask } = node(99);
  expect(await follow(ask, block(hash(HEIGHT, 1)), MATURITY)).toEqual({
    state: "unknown",
    confirmations: 0,
    reward: undefined,
  });
});

test("an answer that is none rejects", async () => {
  const ask: Ask = async (_method, _params, schema) => schema.parse({ nonsense: [null] });
  await expect(follow(ask, block(hash(1)), MATURITY)).rejects.toThrow();
});
