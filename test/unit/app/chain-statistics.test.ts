/** What clients are told of the chains, made of the server's own status. */
import { describe, expect, test } from "vitest";
import { acceptedBlocks, chainStatisticsOf } from "../../../src/app/chain-statistics.ts";
import type { ChainStatus } from "../../../src/app/status.ts";
import { DIFFICULTY_1_TARGET } from "../../../src/bitcoin/target.ts";
import type { BlockAnswer, FoundBlock } from "../../../src/mining/ports.ts";
import { makeTemplate } from "../../support/fake-chain.ts";

const HEALTH: Omit<ChainStatus, "name" | "mining"> = {
  plugin: "fake",
  version: "1.0.0",
  state: "running",
  sinceMs: 0,
  trouble: undefined,
  restarts: 0,
  nextStartMs: undefined,
};

describe("chain statistics", () => {
  test("are Bitcoin's first, then the chains', those without work included", () => {
    const work = { id: "w", parent: "p", height: 815_000, value: undefined, ageMs: 5, difficulty: 1.5 };
    const answers = { accepted: 2, duplicate: 1, stale: 4, rejected: 8, failed: 16 };
    const mining = { running: true, work, inJob: true, dropped: undefined, found: 9, answers, pending: 0, spares: 0 };
    const chains: ChainStatus[] = [
      { ...HEALTH, name: "namecoin", mining },
      { ...HEALTH, name: "syscoin", mining: { ...mining, work: undefined, inJob: false, dropped: "no work" } },
      { ...HEALTH, name: "rsk", mining: undefined },
    ];
    const template = makeTemplate({ height: 840_000, prevHash: new Uint8Array(32) });
    const job = { template, bitcoinTarget: DIFFICULTY_1_TARGET / 8n };
    expect(chainStatisticsOf({ status: { blocks: { found: 7 }, chains }, job, accepted: 6 })).toEqual([
      { chain: "bitcoin", height: 840_000, difficulty: expect.closeTo(8, 3), inJob: true, found: 7, accepted: 6 },
      { chain: "namecoin", height: 815_000, difficulty: 1.5, inJob: true, found: 9, accepted: 3 },
      { chain: "syscoin", height: undefined, difficulty: undefined, inJob: false, found: 9, accepted: 3 },
      { chain: "rsk", height: undefined, difficulty: undefined, inJob: false, found: 0, accepted: 0 },
    ]);
  });

  test("say so while there is no job", () => {
    const status = { blocks: { found: 0 }, chains: [] };
    expect(chainStatisticsOf({ status, job: undefined, accepted: 0 })).toEqual([
      { chain: "bitcoin", height: undefined, difficulty: undefined, inJob: false, found: 0, accepted: 0 },
    ]);
  });

  test("survive a pool's target that nothing meets", () => {
    const job = { template: makeTemplate({ height: 1, prevHash: new Uint8Array(32) }), bitcoinTarget: 0n };
    const [bitcoin] = chainStatisticsOf({ status: { blocks: { found: 0 }, chains: [] }, job, accepted: 0 });
    expect(bitcoin?.difficulty).toBe(Number.POSITIVE_INFINITY);
  });

  test("count a block once, however many nodes accept it, and none that they refuse", () => {
    const listeners: ((block: FoundBlock, answer: BlockAnswer) => void)[] = [];
    const accepted = acceptedBlocks({
      onAnswer(listener) {
        listeners.push(listener);
        return () => undefined;
      },
    });
    const answer = (block: FoundBlock, verdict: BlockAnswer["verdict"]): void => {
      for (const listener of listeners) listener(block, { verdict, node: "a", reason: "" });
    };
    const [first, second, third] = [{} as FoundBlock, {} as FoundBlock, {} as FoundBlock];
    answer(first, "accepted");
    answer(first, "duplicate");
    answer(second, "rejected");
    answer(second, "stale");
    expect(accepted()).toBe(1);
    answer(third, "duplicate");
    answer(second, "accepted");
    expect(accepted()).toBe(3);
  });
});
