import { describe, expect, test } from "vitest";
import { fromHex } from "../../../../src/kernel/bytes.ts";
import type { Fault } from "../../../../src/kernel/fault.ts";
import {
  auxBlock,
  baseUnits,
  blockName,
  blockWithCoinbase,
  readWork,
  type WorkContext,
} from "../../../../src/sdk/auxpow/answers.ts";
import { type AuxPowProfile, NAMECOIN_LIKE } from "../../../../src/sdk/auxpow/profile.ts";
import recorded from "../../../vectors/daemon-rpc.json" with { type: "json" };

const namecoin: AuxPowProfile = { ...NAMECOIN_LIKE, name: "namecoin", chainId: 1 };
const elastos: AuxPowProfile = {
  ...NAMECOIN_LIKE,
  name: "elastos",
  chainId: 1224,
  method: "named",
  heightOffset: 1,
  rewardOutput: 1,
  reversedHashes: true,
};

/** The result that `daemon` gave to `method` in the recording. */
function resultOf(daemon: string, method: string): unknown {
  const found = recorded.exchanges.find(
    (exchange) => exchange.daemon.startsWith(daemon) && exchange.request.method === method && exchange.status === 200,
  );
  if (found === undefined) throw new Error(`${method} of ${daemon} is not in the recording`);
  return (found.response as { result: unknown }).result;
}

function read(answer: unknown, profile = namecoin, more: Partial<WorkContext> = {}) {
  return readWork(auxBlock.parse(answer), { profile, chainId: profile.chainId, daemon: "d", ...more });
}

const TARGET_207FFFFF = 0x7fffffn << 232n;
const good = resultOf("Namecoin", "createauxblock") as Record<string, unknown>;

describe("recorded work", () => {
  test("namecoind's createauxblock and getauxblock", () => {
    const work = read(good);
    expect(work).toEqual({
      id: "a2804f5dac052fc44acb6c49addeb24cd598a3761131173b7fd8ce3ea3c1a0b2",
      hash: Uint8Array.from(Buffer.from("a2804f5dac052fc44acb6c49addeb24cd598a3761131173b7fd8ce3ea3c1a0b2", "hex")),
      parent: "b0fe6acb82e7470ae7c1750829d40ce3ef685ca06fc8762284516b5ca49107d6",
      height: 116,
      target: TARGET_207FFFFF,
      value: 5_000_000_000n,
      details: { daemon: "d" },
    });
    expect(read(resultOf("Namecoin", "getauxblock")).height).toBe(116);
  });

  test("Elastos' names the tip's height, and no target but bits", () => {
    const work = read(resultOf("Elastos", "createauxblock"), elastos);
    expect(work).toMatchObject({
      id: "72a556fa60a4a16839feac8aa15b6532d8a12ef11a2e7fd0b0372011a780f877",
      height: 5,
      target: TARGET_207FFFFF,
      value: 175_799_086n,
      parent: "8a6415442c9228c3429a1a271de284ff6ece6c6ab1a3ec1c4cf759f2fd50ecb9",
    });
    // Its other calls print the same block in the reverse order, as was recorded a block later.
    expect(blockName("8a6415442c9228c3429a1a271de284ff6ece6c6ab1a3ec1c4cf759f2fd50ecb9", elastos)).toBe(
      resultOf("Elastos", "getbestblockhash"),
    );
  });

  test("what a block pays stands in its first transaction", () => {
    const block = blockWithCoinbase.parse(resultOf("Namecoin", "getblock"));
    const [coinbase] = block.tx;
    expect(typeof coinbase === "object" ? coinbase.vout[0]?.value : undefined).toBe(50);
  });
});

describe("other spellings", () => {
  test("bits without leading zeros", () => {
    expect(read({ ...good, _target: undefined, bits: "3123456" }).target).toBe(0x123456n);
  });

  test("the target little-endian under the old name, and no tip, no value (Emercoin)", () => {
    const { hash, chainid, bits } = good;
    const answer = { hash, chainid, bits, target: `${"00".repeat(29)}ffff7f` };
    const tip = { hash: "77".repeat(32), height: 900_001 };
    expect(read(answer, namecoin, { tip })).toMatchObject({
      parent: "77".repeat(32),
      height: 900_001,
      value: undefined,
      target: TARGET_207FFFFF,
    });
    expect(() => read(answer)).toThrow(/previousblockhash/);
  });

  test("no bits at all, for a profile that says where the target stands", () => {
    const { bits: _bits, ...rest } = good;
    expect(read(rest, { ...namecoin, target: "little-endian" }).target).toBe(TARGET_207FFFFF);
    const reversed = { ...rest, _target: undefined, target: `7fffff${"00".repeat(29)}` };
    expect(read(reversed, { ...namecoin, target: "big-endian" }).target).toBe(TARGET_207FFFFF);
    expect(() => read(rest)).toThrow(/bits/);
  });

  test("a big-endian target beside bits is the same target", () => {
    expect(read({ ...good, _target: `7fffff${"00".repeat(29)}` }).target).toBe(TARGET_207FFFFF);
  });

  test("a value as text, null or nothing", () => {
    expect(read({ ...good, coinbasevalue: "2500000000" }).value).toBe(2_500_000_000n);
    expect(read({ ...good, coinbasevalue: null }).value).toBeUndefined();
    // Ten coins of 18 decimals: JSON's numbers cannot hold them, and work is work without its value.
    expect(read({ ...good, coinbasevalue: 10_000_000_000_000_000_000 }).value).toBeUndefined();
    expect(read({ ...good, coinbasevalue: "10000000000000000000" }).value).toBe(10n ** 19n);
    expect(read({ ...good, coinbasevalue: 50.5 }).value).toBeUndefined();
    expect(read({ ...good, coinbasevalue: undefined }).value).toBeUndefined();
  });

  test("a hash in upper case goes back as it came", () => {
    const hash = String(good.hash).toUpperCase();
    expect(read({ ...good, hash }).id).toBe(hash);
  });

  test("Syscoin's output is kept with the work, and missed when it is not there", () => {
    const profile = { ...namecoin, extraOutput: { key: "coinbasescript", forbid: fromHex("737973") } };
    const script = `6a27737973${"ab".repeat(36)}`;
    expect(read({ ...good, coinbasescript: script }, profile).details).toEqual({ daemon: "d", coinbasescript: script });
    for (const coinbasescript of [undefined, "", "6a2", "zz", "00".repeat(101), 5]) {
      expect(() => read({ ...good, coinbasescript }, profile)).toThrow(
        expect.objectContaining({ code: "aux-extra-output" }),
      );
    }
  });

  test.each([
    ["that anybody may spend", `51${"737973".repeat(10)}`],
    ["with a hundred signature operations", `6a03737973${"ae".repeat(95)}`],
    ["whose last push goes past its end", "6a28737973"],
    ["with a length that is cut off", "6a037379734c"],
    ["without the mark", `6a27${"ab".repeat(39)}`],
  ])("an output %s never gets into Bitcoin's coinbase", (_name, coinbasescript) => {
    const profile = { ...namecoin, extraOutput: { key: "coinbasescript", forbid: fromHex("737973") } };
    expect(() => read({ ...good, coinbasescript }, profile)).toThrow(
      expect.objectContaining({ code: "aux-extra-output" }),
    );
  });

  test("an output with a long push is as good", () => {
    const profile = { ...namecoin, extraOutput: { key: "coinbasescript", forbid: fromHex("737973") } };
    const coinbasescript = `6a4c50737973${"ab".repeat(77)}`;
    expect(read({ ...good, coinbasescript }, profile).details.coinbasescript).toBe(coinbasescript);
  });
});

describe("what is no work", () => {
  test.each([
    ["another chain ID", { chainid: 16 }, "aux-chain-id-differs"],
    ["a target that is not that of bits", { _target: `${"00".repeat(28)}ffffff00` }, "aux-target-contradicts"],
    ["bits of a negative target", { bits: "04923456", _target: undefined }, "compact-target-invalid"],
    ["bits beyond 256 bits", { bits: "ff123456", _target: undefined }, "compact-target-invalid"],
    ["bits of target 0", { bits: "00000000", _target: undefined }, "node-answer-unexpected"],
  ])("%s", (_name, change, code) => {
    try {
      read({ ...good, ...change });
    } catch (error) {
      expect((error as Fault).code).toBe(code);
      return;
    }
    throw new Error("it was taken");
  });

  test.each([
    ["a short hash", { hash: "aa" }],
    ["no hash", { hash: undefined }],
    ["a hash that is a number", { hash: 5 }],
    ["a negative height", { height: -1 }],
    ["a height with a fraction", { height: 1.5 }],
    ["a negative value", { coinbasevalue: -1 }],
    ["bits as a number", { bits: 0x207fffff }],
    ["a parent that is null", { previousblockhash: null }],
  ])("%s", (_name, change) => {
    expect(auxBlock.safeParse({ ...good, ...change }).success).toBe(false);
  });
});

test.each([
  [50, 8, 5_000_000_000n],
  [0.1 + 0.2, 8, 30_000_000n],
  [20_999_999.9769, 8, 2_099_999_997_690_000n],
  ["1.75799086", 8, 175_799_086n],
  ["12", 8, 1_200_000_000n],
  ["0.00000001", 8, 1n],
  ["1.000000000", 8, 100_000_000n],
  ["1.000000001", 8, undefined],
  ["-1", 8, undefined],
  ["1e5", 8, undefined],
  [1e300, 8, undefined],
])("%s coins are %s base units", (value, decimals, units) => {
  expect(baseUnits(value, decimals)).toBe(units);
});
