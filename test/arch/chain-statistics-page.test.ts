/** Extension 0x4353 byte for byte: the frames of docs/extension-chain-statistics.md, which were written out by hand from the types of spec section 3.1. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../src/kernel/bytes.ts";
import { decodeFrameHeader } from "../../src/sv2/frame.ts";
import { CHAIN_STATISTICS, CHAIN_STATISTICS_TYPE, chainStatistics } from "../../src/sv2/messages/chain-statistics.ts";

const page = readFileSync(new URL("../../docs/extension-chain-statistics.md", import.meta.url), "utf8");

const EXAMPLES = [
  {
    name: "SubscribeChainStatistics",
    frame: "534300060000070000001e00",
    value: { requestId: 7, interval: 30 },
  },
  {
    name: "SubscribeChainStatisticsSuccess",
    frame: "5343010a0000070000001e0084030000",
    value: { requestId: 7, interval: 30, silenceLimit: 900 },
  },
  {
    name: "ChainStatistics",
    frame: "5343022500000700000001086e616d65636f696e01986f0c00000000000100008051010300000002000000",
    value: {
      requestId: 7,
      remaining: 1,
      chain: "namecoin",
      height: 815_000n,
      difficulty: 2 ** 36,
      inJob: true,
      found: 3,
      accepted: 2,
    },
  },
  {
    name: "ChainStatistics",
    frame: "53430214000007000000000372736b0000000000000000000000",
    value: {
      requestId: 7,
      remaining: 0,
      chain: "rsk",
      height: null,
      difficulty: null,
      inJob: false,
      found: 0,
      accepted: 0,
    },
  },
] as const;

describe("chain statistics", () => {
  test.each(EXAMPLES)("$name is these bytes, here and on the page", ({ name, frame, value }) => {
    expect(toHex(chainStatistics.encode(name, value as never))).toBe(frame);
    expect(chainStatistics.decode(decodeFrameHeader(fromHex(frame)).msgType, fromHex(frame.slice(12)))).toEqual({
      name,
      value,
      tlv: undefined,
    });
    expect(page.replaceAll(/\s/g, "")).toContain(frame);
  });

  test("every message of the table is among the examples and on the page", () => {
    expect(new Set(EXAMPLES.map(({ name }) => name))).toEqual(new Set(Object.keys(CHAIN_STATISTICS)));
    for (const name of Object.keys(CHAIN_STATISTICS)) expect(page).toContain(`### ${name}`);
  });

  test("the number is one that the spec leaves to experiments, and no message belongs to a channel", () => {
    expect(CHAIN_STATISTICS_TYPE).toBeGreaterThanOrEqual(0x4000);
    expect(CHAIN_STATISTICS_TYPE).toBeLessThanOrEqual(0x7fff);
    expect(Object.values(CHAIN_STATISTICS).map(({ channel }) => channel)).toEqual([false, false, false]);
  });
});
