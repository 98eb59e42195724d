/** Refusals that name a mistake of the operator's or a fault of the node's: each with its code and its facts. */
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { scriptOfAddress } from "../../../../src/bitcoin/address.ts";
import { rpcAddress } from "../../../../src/daemon/address.ts";
import type { Rpc } from "../../../../src/daemon/rpc.ts";
import { Fault, type FaultCode, describe as inWords } from "../../../../src/kernel/fault.ts";
import { blockTemplate } from "../../../../src/node/bitcoind/answers.ts";
import { templateOfAnswer } from "../../../../src/node/bitcoind/block-template.ts";
import { checkPayout } from "../../../../src/node/bitcoind/examine.ts";
import { judge, type NodeFacts } from "../../../../src/node/bitcoind/trust.ts";
import core from "../../../vectors/bitcoind-rpc.json" with { type: "json" };

const PAYOUT = scriptOfAddress("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "regtest");

async function faultOf(run: () => unknown): Promise<Fault> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** A node that answers every call with `result`. */
function answering(result: unknown): Rpc {
  return {
    name: "core",
    address: "http://127.0.0.1:18443/",
    clockOffsetMs: undefined,
    call: async (_method, _params, schema) => schema.parse(result) as z.output<typeof schema>,
    close: () => undefined,
  };
}

describe("refusals", () => {
  test.each<[FaultCode, () => unknown, RegExp]>([
    ["node-url-invalid", () => rpcAddress("127.0.0.1:8332"), /URL/],
    ["node-url-invalid", () => rpcAddress("ftp://u:hush@host/"), /protocol ftp:/],
    ["node-payout-foreign", () => checkPayout(answering({ isvalid: false }), PAYOUT, "regtest"), /address bcrt1/],
    [
      "node-payout-foreign",
      () => checkPayout(answering({ isvalid: true, scriptPubKey: "51" }), PAYOUT, "regtest"),
      /network regtest/,
    ],
    [
      "node-template-unusable",
      () =>
        templateOfAnswer(blockTemplate.parse({ ...core.template, target: "00".repeat(32) }), {
          id: "1",
          source: "s",
          node: "core",
        }),
      /node core, reason/,
    ],
  ])("%s", async (code, run, facts) => {
    const fault = await faultOf(run);
    expect(fault.code).toBe(code);
    expect(inWords(fault)).toMatch(facts);
    expect(inWords(fault)).not.toContain("hush");
  });

  test("node-catching-up: headers far ahead of blocks for too long make a node doubtful", () => {
    const facts: NodeFacts = {
      node: "core",
      fault: undefined,
      known: true,
      chain: "main",
      version: "/Satoshi:31.1.0/",
      headers: 800_100,
      initialBlockDownload: false,
      connections: 8,
      tip: { hash: "aa", height: 800_000, chainwork: 1n, timeS: 1_700_000_000 },
      latencyMs: 1,
      clockOffsetMs: 0,
      catchingUpSinceMs: 0,
      behindSinceMs: undefined,
    };
    const options = { network: "mainnet", lagMs: 3_000, catchUpMs: 30_000, staleTipMs: 5_400_000 } as const;
    const at = (monotonicMs: number) => judge(facts, options, { nowMs: 1_700_000_001_000, monotonicMs });
    expect(at(29_000).trust).toBe("trusted");
    expect(at(31_000)).toMatchObject({ trust: "doubtful", fault: { code: "node-catching-up" } });
  });
});
