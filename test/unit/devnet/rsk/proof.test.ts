/** The node's own judge of proofs: real ones, the one that a real rskj took, and each rule broken alone. */
import { describe, expect, test } from "vitest";
import { compress, type HeaderProof, proofFlaw, TAG, targetOf } from "../../../../src/devnet/rsk/proof.ts";
import { concat, fromHex, reversed, toHex } from "../../../../src/kernel/bytes.ts";
import { parentBlock } from "../../../support/parent-block.ts";
import { tagScript } from "../../../support/rsk.ts";
import vectors from "../../../vectors/mergemining.json" with { type: "json" };
import recorded from "../../../vectors/one-header-four-chains.json" with { type: "json" };

const HASH = "2a43651e9236299c80862ac103b07914bfaab6eb1260a10b0e4435d573d04742";
const hash = fromHex(HASH);
const target = targetOf(1n);

test("targets: 2^256 by the difficulty, which is 3 at least", () => {
  expect(targetOf(1n).toString(16)).toBe("5".repeat(64));
  expect(targetOf(133693n)).toBe(2n ** 256n / 133693n);
});

describe("real proofs", () => {
  const compressions = vectors.rsk.filter(({ kind }) => kind === "compressCoinbase");
  test.each(compressions)("compression of $source", ({ coinbaseNoWitness, compressed }) => {
    expect(compressions.length).toBeGreaterThan(0);
    expect(toHex(compress(fromHex(coinbaseNoWitness ?? "")))).toBe(compressed);
  });

  test.each(vectors.rsk.filter(({ kind }) => kind === "block"))("block $number of $source", (block) => {
    const hex = (text: string | undefined): Uint8Array => fromHex((text ?? "").replace(/^0x/, ""));
    const proof: HeaderProof = {
      header: hex(block.bitcoinMergedMiningHeader),
      compressedCoinbase: hex(block.bitcoinMergedMiningCoinbaseTransaction),
      merkleProof: hex(block.bitcoinMergedMiningMerkleProof),
    };
    const mined = hex(block.hashForMergedMining);
    expect(proofFlaw(proof, mined, BigInt(block.difficulty ?? 0))).toBeUndefined();
    expect(proofFlaw(proof, hash, BigInt(block.difficulty ?? 0))).toMatch(/does not contain expected/);
    expect(proofFlaw(proof, mined, 2n ** 200n)).toBe("Hash is higher than target");
  });

  test("the one that rskj took for the header of four chains", () => {
    const exchange = recorded.exchanges.find(({ request }) => request.method === "mnr_submitBitcoinBlockPartialMerkle");
    const [, header = "", coinbase = "", hashes = ""] = (exchange?.request.params ?? []) as string[];
    const branch = hashes.split(" ").slice(1).map(fromHex);
    const proof: HeaderProof = {
      header: fromHex(header),
      compressedCoinbase: compress(fromHex(coinbase)),
      merkleProof: concat(...branch.map(reversed)),
    };
    expect(proofFlaw(proof, hash, 1n)).toBeUndefined();
  });
});

/** A proof of a coinbase with these outputs. */
function proof(
  outputs: readonly Uint8Array[],
  more: { readonly weak?: boolean; readonly scriptSig?: Uint8Array } = {},
) {
  const parent = parentBlock({ scriptSig: Buffer.alloc(10, 0x22), outputs, target, ...more });
  return { header: parent.header, coinbase: parent.coinbase, branch: parent.branch };
}

function judge({ header, coinbase, branch }: ReturnType<typeof proof>): string | undefined {
  const merkleProof = concat(...branch.map(reversed));
  return proofFlaw({ header, compressedCoinbase: compress(coinbase), merkleProof }, hash, 1n);
}

const good = proof([Buffer.of(0x51), tagScript(HASH)]);
const parts = {
  header: good.header,
  compressedCoinbase: compress(good.coinbase),
  merkleProof: new Uint8Array(0),
} satisfies HeaderProof;

describe("each rule broken alone", () => {
  test.each<[string, HeaderProof, string]>([
    ["a merkle proof of 31 bytes", { ...parts, merkleProof: new Uint8Array(31) }, "Merkle proof can't be validated"],
    ["a merkle proof of 31 hashes", { ...parts, merkleProof: new Uint8Array(992) }, "Merkle proof can't be validated"],
    [
      "no coinbase",
      { ...parts, compressedCoinbase: new Uint8Array(0) },
      "Compressed coinbase transaction does not exist",
    ],
    [
      "a header of 81 bytes",
      { ...parts, header: new Uint8Array(81) },
      "Bitcoin merged mining header must be 80 bytes but was 81",
    ],
    [
      "another sibling",
      { ...parts, merkleProof: new Uint8Array(32) },
      "bitcoin merkle branch doesn't match coinbase and state root",
    ],
    [
      "a tag that begins 64 bytes into the rest",
      { ...parts, compressedCoinbase: concat(parts.compressedCoinbase.slice(0, 40), new Uint8Array(64), TAG, hash) },
      "bitcoin coinbase transaction tag position is bigger than expected 64",
    ],
    [
      "another tag behind it",
      { ...parts, compressedCoinbase: concat(parts.compressedCoinbase, TAG, new Uint8Array(32)) },
      "The valid RSK tag is not the last RSK tag",
    ],
    [
      "129 bytes behind the hash",
      { ...parts, compressedCoinbase: concat(parts.compressedCoinbase, new Uint8Array(125)) },
      "More than 128 bytes after RSK tag",
    ],
    [
      "a coinbase of 64 bytes",
      { ...parts, compressedCoinbase: concat(new Uint8Array(40), TAG, hash, new Uint8Array(23)) },
      "Coinbase transaction must always be greater than 64-bytes long",
    ],
  ])("%s", (_what, broken, flaw) => {
    expect(proofFlaw(broken, hash, 1n)).toBe(flaw);
  });

  test("none", () => {
    expect(judge(good)).toBeUndefined();
  });

  test("weak work and a missing tag", () => {
    expect(judge(proof([tagScript(HASH)], { weak: true }))).toBe("Hash is higher than target");
    expect(judge(proof([Buffer.alloc(80)]))).toMatch(/does not contain expected/);
  });

  test.each([
    ["as an output's push", [tagScript(HASH)]],
    ["with PUSHDATA1", [Buffer.concat([Buffer.of(0x6a, 0x4c, 0x29), tagScript(HASH).subarray(2)])]],
    ["without a push", [Buffer.concat([Buffer.of(0x6a), tagScript(HASH).subarray(2)])]],
    ["before the witness commitment and one more output", [tagScript(HASH), Buffer.alloc(38, 1), Buffer.alloc(43, 2)]],
    ["with 128 bytes behind it", [tagScript(HASH), Buffer.alloc(115, 3)]],
    ["behind an older tag", [tagScript("11".repeat(32)), tagScript(HASH)]],
  ])("the tag stands well %s", (_where, outputs) => {
    expect(judge(proof(outputs))).toBeUndefined();
  });

  test("but not with one byte more behind it", () => {
    expect(judge(proof([tagScript(HASH), Buffer.alloc(116, 3)]))).toBe("More than 128 bytes after RSK tag");
  });

  test("every place of the tag against the borders of SHA-256's blocks", () => {
    for (let size = 2; size <= 100; size++) {
      expect(judge(proof([tagScript(HASH)], { scriptSig: Buffer.alloc(size, 0x33) })), `${size}`).toBeUndefined();
    }
  });
});
