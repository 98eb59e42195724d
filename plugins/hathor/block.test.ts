/** Real Hathor blocks, taken apart, judged and put together again. */
import { concat, fromHex, type Proof, reversed, sha256d, toHex } from "bllvm-stratum-v2/plugin";
import { describe, expect, test } from "vitest";
import vectors from "../../test/vectors/mergemining.json" with { type: "json" };
import { type AuxPow, auxPowOf, blockHash, parseAuxPow, serializeAuxPow, verifyAuxPow } from "./aux-pow.ts";
import { baseHash, blockBase, blockTemplate, parseBlock, targetOf } from "./block.ts";

const blocks = vectors.hathor.map((vector) => ({ vector, block: parseBlock(fromHex(vector.rawTx)) }));

describe.each(blocks)("the block of $vector.source", ({ vector, block }) => {
  const auxPow = parseAuxPow(block.auxPow);
  const hash = baseHash(block);

  test("comes apart into funds, graph, weight and proof", () => {
    expect(toHex(block.funds)).toBe(vector.funds);
    expect(toHex(block.graph)).toBe(vector.graph);
    expect(block.weight).toBe(vector.weight);
    expect(block.parents).toHaveLength(3);
    expect({
      headerHead: toHex(auxPow.headerHead),
      coinbaseHead: toHex(auxPow.coinbaseHead),
      coinbaseTail: toHex(auxPow.coinbaseTail),
      merklePath: auxPow.merklePath.map(toHex),
      headerTail: toHex(auxPow.headerTail),
    }).toEqual({
      headerHead: vector.headerHead,
      coinbaseHead: vector.coinbaseHead,
      coinbaseTail: vector.coinbaseTail,
      merklePath: vector.merklePathDisplay,
      headerTail: vector.headerTail,
    });
  });

  test("has the base hash and the block hash that Hathor's network knows", () => {
    expect(toHex(hash)).toBe(vector.baseHash);
    expect(toHex(reversed(blockHash(auxPow, hash)))).toBe(vector.expect.hash);
  });

  test("is taken by the verifier", () => {
    expect(verifyAuxPow(auxPow, { hash, target: targetOf(block.weight), maxMerklePath: 12 })).toBeUndefined();
  });

  test("is the same bytes when made of Bitcoin's header, coinbase and merkle branch", () => {
    const coinbase = concat(auxPow.coinbaseHead, hash, auxPow.coinbaseTail);
    const merkleBranch = auxPow.merklePath.map(reversed);
    const root = merkleBranch.reduce((node, sibling) => sha256d(concat(node, sibling)), sha256d(coinbase));
    const header = concat(auxPow.headerHead, root, auxPow.headerTail);
    const proof: Pick<Proof, "header" | "coinbase" | "merkleBranch"> = { header, coinbase, merkleBranch };
    const made = auxPowOf(proof, hash);
    if (made === undefined) throw new Error("no commitment");
    expect(toHex(concat(block.funds, block.graph, serializeAuxPow(made)))).toBe(vector.rawTx);
  });

  const { coinbaseHead, coinbaseTail, merklePath } = auxPow;
  const tampered: readonly { readonly name: string; readonly flaw: string; readonly change: Partial<AuxPow> }[] = [
    {
      name: "the magic altered",
      flaw: "magic_missing",
      change: { coinbaseHead: concat(coinbaseHead.subarray(0, -1), Uint8Array.of(0)) },
    },
    {
      name: "an earlier magic",
      flaw: "magic_early",
      change: { coinbaseHead: concat(fromHex("48617468"), coinbaseHead) },
    },
    {
      name: "a byte behind the magic",
      flaw: "magic_early",
      change: { coinbaseHead: concat(coinbaseHead, Uint8Array.of(0)) },
    },
    {
      name: "a path of one more than allowed",
      flaw: "merkle_path",
      change: { merklePath: Array.from({ length: 21 }, () => new Uint8Array(32)) },
    },
    {
      name: "a hash of the path altered",
      flaw: "high_hash",
      change: { merklePath: [new Uint8Array(32), ...merklePath.slice(1)] },
    },
    {
      name: "a byte more in the tail",
      flaw: "high_hash",
      change: { coinbaseTail: concat(coinbaseTail, Uint8Array.of(0)) },
    },
    { name: "another nonce", flaw: "high_hash", change: { headerTail: new Uint8Array(12) } },
    { name: "another previous block", flaw: "high_hash", change: { headerHead: new Uint8Array(36) } },
  ];
  test.each(tampered)("$name breaks the rule $flaw", ({ flaw, change }) => {
    const claim = { hash, target: targetOf(block.weight), maxMerklePath: 20 };
    expect(verifyAuxPow({ ...auxPow, ...change }, claim)).toBe(flaw);
  });

  test("another block's hash breaks it", () => {
    const claim = { hash: new Uint8Array(32), target: targetOf(block.weight), maxMerklePath: 20 };
    expect(verifyAuxPow(auxPow, claim)).toBe("high_hash");
  });

  test("cut anywhere it is no block", () => {
    const bytes = fromHex(vector.rawTx);
    for (let size = 0; size < bytes.length; size += 7) {
      expect(() => parseAuxPow(parseBlock(bytes.subarray(0, size)).auxPow)).toThrow();
    }
  });
});

describe("a template", () => {
  // The first vector's block as get_block_template gives it; its fields by hand from the bytes.
  const [vector] = vectors.hathor;
  if (vector === undefined) throw new Error("no vector");
  const template = {
    timestamp: 0x5ef3846b,
    version: 3,
    weight: 59.82944172036741,
    signal_bits: 0,
    parents: [0, 1, 2].map((i) => vector.graph.slice(26 + 64 * i, 90 + 64 * i)),
    inputs: [],
    outputs: [
      {
        value: 6400,
        token_data: 0,
        script: Buffer.from("76a914bcdddee6f042c73ff4b947bc9bca929fbd4fa98588ac", "hex").toString("base64"),
      },
    ],
    tokens: [],
    data: "",
    metadata: { hash: null, height: 17, voided_by: [] },
  };

  test("stands for the bytes of the block", () => {
    const base = blockBase(blockTemplate.parse(template));
    expect(toHex(base.funds)).toBe(vector.funds);
    expect(toHex(base.graph)).toBe(vector.graph);
    expect(toHex(baseHash(base))).toBe(vector.baseHash);
  });

  test("has amounts above 2^31 - 1 as eight bytes below zero", () => {
    const funds = (value: number) =>
      toHex(blockBase(blockTemplate.parse({ ...template, outputs: [{ value, token_data: 0, script: "" }] })).funds);
    expect(funds(0x7fff_ffff)).toBe(`000301${"7fffffff"}000000`);
    expect(funds(0x8000_0000)).toBe(`000301${"ffffffff80000000"}000000`);
  });

  test.each([
    ["for a block with a nonce", { version: 0 }],
    ["without weight", { weight: undefined }],
    ["with a weight that is no power", { weight: 256 }],
    ["with a short parent", { parents: ["00"] }],
    ["whose script is no base64", { outputs: [{ value: 1, token_data: 0, script: "76a9!" }] }],
    ["with an amount that is no whole number", { outputs: [{ value: 0.5, token_data: 0, script: "" }] }],
    ["without height", { metadata: {} }],
  ])("%s is refused", (_name, change) => {
    expect(blockTemplate.safeParse({ ...template, ...change }).success).toBe(false);
  });
});

describe("targetOf", () => {
  // CPython 3.11 with glibc 2.36: [w, str(int(2 ** (256 - w) - 1))], w drawn with random.seed(11).
  const limits: readonly (readonly [number, bigint])[] = [
    [1, 57896044618658097711785492504343953926634992332820282019728792003956564819968n],
    [2.592602804469885, 19196748669472970519136089523064172483838964012899365277391121699776006979584n],
    [8.807379171055269, 258460140638029242903668451503485163870171512530301859088159329954394275840n],
    [21, 55213970774324510299478046898216203619608871777363092441300193790394368n],
    [27.034052660311115, 842593558845029030037001802782075261358893320849471069468560612917248n],
    [39.53609901514632, 145253690312187003048005126161664641260995288829517411075972136960n],
    [42.824476136121305, 14867126078355561909882141842660615687867996099020930086497943552n],
    [59.82944172036741, 113037438696452627388234696612582761940905264201287237369856n],
    [64, 6277101735386680763835789423207666416102355444464034512896n],
    [67.99646030155589, 393282607144410178954731117139846353633680049410005794816n],
    [86.37099728871063, 1157225381966859684505758521167445049436439171825664n],
    [118.0185844283352, 343989297992248375316972185898726073565184n],
    [203.5, 6369051672525772n],
    [254.5, 1n],
  ];

  test.each(limits)("of %d is below what hathor-core takes, by less than 1 in 10^15 and one", (weight, limit) => {
    const target = targetOf(weight);
    expect(target).toBeGreaterThan(0n);
    expect(target < limit || limit === 1n).toBe(true);
    expect(limit - target).toBeLessThanOrEqual(limit / 10n ** 15n + 2n);
  });
});
