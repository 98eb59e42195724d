import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sha256d } from "../../../../src/bitcoin/hash.ts";
import { foldMerklePath } from "../../../../src/bitcoin/merkle.ts";
import { MAX_TARGET } from "../../../../src/bitcoin/target.ts";
import { concat, equal, fromDisplayHex, fromHex, toDisplayHex, toHex, utf8 } from "../../../../src/kernel/bytes.ts";
import { compressCoinbase, RSK_TAG, rskMerkleProof, rskPartialMerkle } from "../../../../src/merge/rsk/proof.ts";
import { type RskFlaw, type RskHeaderClaim, verifyRsk, verifyRskHeader } from "../../../../src/merge/rsk/verify.ts";
import vectors from "../../../vectors/mergemining.json" with { type: "json" };
import exchange from "../../../vectors/one-header-four-chains.json" with { type: "json" };

const compress = vectors.rsk.find(({ kind }) => kind === "compressCoinbase")!;
const block = vectors.rsk.find(({ kind }) => kind === "block")!;
const blockClaim: RskHeaderClaim = {
  header: fromHex(block.bitcoinMergedMiningHeader!),
  hash: fromHex(block.hashForMergedMining!),
  target: 2n ** 256n / BigInt(block.difficulty!),
  compressedCoinbase: fromHex(block.bitcoinMergedMiningCoinbaseTransaction!),
  merkleProof: fromHex(block.bitcoinMergedMiningMerkleProof!),
};

describe("rskj's own vectors", () => {
  test("a coinbase is compressed to the same bytes", () => {
    const coinbase = fromHex(compress.coinbaseNoWitness!);
    expect(toDisplayHex(sha256d(coinbase))).toBe(compress.txid);
    expect(toHex(compressCoinbase(coinbase))).toBe(compress.compressed);
  });

  test("the proof of a block is taken", () => {
    expect(verifyRskHeader(blockClaim)).toBeUndefined();
  });

  test("and not with another hash, an easier block's target, or another byte", () => {
    expect(verifyRskHeader({ ...blockClaim, hash: new Uint8Array(32) })).toBe("tag_missing");
    expect(verifyRskHeader({ ...blockClaim, target: 2n ** 220n })).toBe("high_hash");
    for (const name of ["header", "compressedCoinbase", "merkleProof"] as const) {
      const bytes = blockClaim[name];
      for (let at = 0; at < bytes.length; at += 3) {
        const tampered = { ...blockClaim, [name]: bytes.with(at, bytes[at]! ^ 4) };
        expect(verifyRskHeader(tampered), `${name} ${at}`).toBeDefined();
      }
    }
  });
});

describe("one header that RSKj took", () => {
  const submitted = exchange.exchanges.find(({ request }) => request.method.startsWith("mnr_submit"))!;
  const [, header, coinbase, merkle] = submitted.request.params as string[];
  const work = exchange.exchanges.find(({ request }) => request.method === "mnr_getWork")!.response.result as {
    blockHashForMergedMining: string;
    target: string;
  };
  const merkleBranch = merkle!.split(" ").slice(1).map(fromHex);
  const claim = {
    header: fromHex(header!),
    coinbase: fromHex(coinbase!),
    merkleBranch,
    hash: fromHex(work.blockHashForMergedMining.slice(2)),
    target: BigInt(work.target),
  };

  test("is taken", () => expect(verifyRsk(claim)).toBeUndefined());

  test("has the partial merkle tree that was submitted", () => {
    expect(rskPartialMerkle(claim)).toBe(merkle);
  });

  test("keeps its siblings in display order in the header", () => {
    const display = merkleBranch.map(toDisplayHex).join("");
    expect(toHex(rskMerkleProof(merkleBranch))).toBe(display);
    expect(fromDisplayHex(display.slice(0, 64))).toEqual(merkleBranch[0]);
  });
});

const HASH = Uint8Array.from({ length: 32 }, (_, i) => 200 - i);
const zeros = (size: number) => new Uint8Array(size);
const commitment = concat(RSK_TAG, HASH);
const GOOD = concat(zeros(150), commitment, zeros(128));
const BRANCH = [zeros(32).fill(1), zeros(32).fill(2)];

/** A claim about `coinbase` whose merkle root is right, whatever else is not. */
function claimOf(coinbase: Uint8Array, change: Partial<RskHeaderClaim> = {}): RskHeaderClaim {
  const root = foldMerklePath(sha256d(coinbase), BRANCH);
  return {
    header: concat(zeros(36), root, zeros(12)),
    hash: HASH,
    target: MAX_TARGET,
    compressedCoinbase: compressCoinbase(coinbase),
    merkleProof: rskMerkleProof(BRANCH),
    ...change,
  };
}

/** `coinbase` with only `hashed` bytes, a multiple of 64, taken into the midstate. */
function compressedAt(coinbase: Uint8Array, hashed: number): Uint8Array {
  const head = compressCoinbase(concat(coinbase.subarray(0, hashed), RSK_TAG)).subarray(0, 40);
  return concat(head, coinbase.subarray(hashed));
}

/** For each rule, a proof in which nothing but that rule is broken. */
const BROKEN: Readonly<Record<RskFlaw, RskFlaw | undefined>> = {
  merkle_proof: verifyRskHeader(claimOf(GOOD, { merkleProof: zeros(33) })),
  coinbase_missing: verifyRskHeader(claimOf(GOOD, { compressedCoinbase: zeros(0) })),
  header_size: verifyRskHeader(claimOf(GOOD, { header: concat(claimOf(GOOD).header, zeros(1)) })),
  high_hash: verifyRskHeader(claimOf(GOOD, { target: 2n ** 200n })),
  tag_missing: verifyRskHeader(claimOf(concat(zeros(150), RSK_TAG, HASH.toReversed()))),
  tag_position: verifyRskHeader(claimOf(GOOD, { compressedCoinbase: compressedAt(GOOD, 64) })),
  tag_not_last: verifyRskHeader(
    claimOf(concat(zeros(130), commitment, RSK_TAG), {
      compressedCoinbase: compressedAt(concat(zeros(130), commitment, RSK_TAG), 128),
    }),
  ),
  bytes_after: verifyRskHeader(claimOf(concat(GOOD, zeros(1)))),
  coinbase_too_short: verifyRskHeader(claimOf(concat(zeros(23), commitment))),
  merkle_root: verifyRskHeader({ ...claimOf(GOOD), merkleProof: rskMerkleProof(BRANCH.toReversed()) }),
};

describe("each rule of an RSK proof", () => {
  test("lets the good proof pass", () => {
    expect(verifyRskHeader(claimOf(GOOD))).toBeUndefined();
    expect(verifyRskHeader(claimOf(concat(zeros(24), commitment)))).toBeUndefined();
    expect(compressedAt(GOOD, 128)).toEqual(compressCoinbase(GOOD));
  });

  test.each(Object.keys(BROKEN) as RskFlaw[])("%s, broken alone, is refused by its name", (rule) => {
    expect(BROKEN[rule]).toBe(rule);
  });

  test("the tag begins within the first 64 bytes of the rest", () => {
    const at = (tag: number) => concat(zeros(tag), commitment, zeros(100));
    const judge = (tag: number) => verifyRskHeader(claimOf(at(tag), { compressedCoinbase: compressedAt(at(tag), 64) }));
    expect(judge(127)).toBeUndefined();
    expect(judge(128)).toBe("tag_position");
  });

  test("more than thirty siblings are refused, thirty are not", () => {
    const branch = Array.from({ length: 31 }, (_, i) => zeros(32).fill(i));
    const root = (n: number) => foldMerklePath(sha256d(GOOD), branch.slice(0, n));
    const judge = (n: number) =>
      verifyRsk({
        header: concat(zeros(36), root(n), zeros(12)),
        hash: HASH,
        target: MAX_TARGET,
        coinbase: GOOD,
        merkleBranch: branch.slice(0, n),
      });
    expect(judge(30)).toBeUndefined();
    expect(judge(31)).toBe("merkle_proof");
  });

  test("is judged for any bytes without a throw", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, bytes, fc.boolean(), (header, rest, tagged) => {
        const coinbase = tagged ? concat(rest, utf8("RSKBLOCK:"), rest) : rest;
        expect(verifyRsk({ header, hash: HASH, target: MAX_TARGET, coinbase, merkleBranch: [] })).toBeDefined();
        expect(
          verifyRskHeader({ header, hash: HASH, target: MAX_TARGET, compressedCoinbase: coinbase, merkleProof: rest }),
        ).toBeDefined();
      }),
    );
  });

  test("an empty coinbase is missing, one without a tag lacks it", () => {
    const claim = { header: zeros(80), hash: HASH, target: MAX_TARGET, merkleBranch: [] };
    expect(verifyRsk({ ...claim, coinbase: zeros(0) })).toBe("coinbase_missing");
    expect(verifyRsk({ ...claim, coinbase: zeros(100) })).toBe("tag_missing");
    expect(equal(compressCoinbase(zeros(100)).subarray(40), zeros(100))).toBe(true);
  });
});
