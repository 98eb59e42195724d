import { expect, test } from "vitest";
import type { Template } from "../../../../src/mining/template.ts";
import { isSameWork } from "../../../../src/mining/template.ts";
import { blockTemplate } from "../../../../src/node/bitcoind/answers.ts";
import { templateOfAnswer } from "../../../../src/node/bitcoind/block-template.ts";
import { isWorthAJob } from "../../../../src/node/bitcoind/refresh.ts";
import core from "../../../vectors/bitcoind-rpc.json" with { type: "json" };

const last = templateOfAnswer(blockTemplate.parse(core.template), { id: "1", source: "s", node: "n" });
const options = { refreshMs: 30_000, feeRise: 0.01 };
const worth = (change: Partial<Template>, ageMs: number): boolean =>
  isWorthAJob(last, { ...last, ...change }, ageMs, options);
const richer = (percent: bigint): Partial<Template> => ({
  coinbaseValue: last.coinbaseValue + (last.coinbaseValue * percent) / 100n,
});

test("another block, or another target on the same one, is always worth a job", () => {
  expect(worth({ prevHash: new Uint8Array(32) }, 0)).toBe(true);
  expect(worth({ nBits: 0x1d00ffff }, 0)).toBe(true);
  expect(isSameWork(last, { ...last, nBits: 0x1d00ffff })).toBe(false);
  expect(isSameWork(last, { ...last, ...richer(5n) })).toBe(true);
});

test("other transactions wait until the last job is old enough", () => {
  const other = { merklePath: last.merklePath.map(() => new Uint8Array(32)) };
  expect(worth(other, 29_999)).toBe(false);
  expect(worth(other, 30_000)).toBe(true);
  expect(worth({ transactionCount: 3 }, 30_000)).toBe(true);
  expect(worth({ version: 1 }, 30_000)).toBe(true);
});

test("a clear rise of the fees does not wait, a fall does", () => {
  expect(worth(richer(2n), 0)).toBe(true);
  expect(worth({ coinbaseValue: last.coinbaseValue + 1n }, 0)).toBe(false);
  expect(worth(richer(-5n), 0)).toBe(false);
  expect(worth(richer(-5n), 30_000)).toBe(true);
});

test("the same again is no job, unless its time has fallen behind by a minute", () => {
  expect(worth({}, 1_000_000)).toBe(false);
  expect(worth({ curTime: last.curTime + 59 }, 60_000)).toBe(false);
  expect(worth({ curTime: last.curTime + 60 }, 60_000)).toBe(true);
  expect(worth({ curTime: last.curTime + 60 }, 29_000)).toBe(false);
});
