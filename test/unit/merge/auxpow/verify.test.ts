import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sha256d } from "../../../../src/bitcoin/hash.ts";
import { foldMerkleBranch } from "../../../../src/bitcoin/merkle.ts";
import { MAX_TARGET, targetFromCompact } from "../../../../src/bitcoin/target.ts";
import { parseTransaction, stripWitness } from "../../../../src/bitcoin/transaction.ts";
import { concat, fromHex, reversed, toDisplayHex, toHex } from "../../../../src/kernel/bytes.ts";
import { type AuxPow, parseAuxPow, serializeAuxPow } from "../../../../src/merge/auxpow/proof.ts";
import { slotOf } from "../../../../src/merge/auxpow/slot.ts";
import { type AuxPowClaim, type AuxPowFlaw, verifyAuxPow } from "../../../../src/merge/auxpow/verify.ts";
import vectors from "../../../vectors/mergemining.json" with { type: "json" };
import exchange from "../../../vectors/one-header-four-chains.json" with { type: "json" };

const real = vectors.auxpow.map(({ name, auxpowHex, auxHash, chainId, strictChainId, bits, expect: facts }) => {
  const target = targetFromCompact(Number.parseInt(bits, 16));
  const auxpow = fromHex(auxpowHex);
  return { name, facts, claim: { auxpow, hash: fromHex(auxHash), chainId, strictChainId, target } };
});

describe("real AuxPoW blocks", () => {
  test.each(real)("$name is taken", ({ claim }) => {
    expect(verifyAuxPow(claim)).toBeUndefined();
  });

  test.each(real)("$name is read and written again as it is", ({ claim, facts }) => {
    const parts = parseAuxPow(claim.auxpow);
    expect(toHex(serializeAuxPow(parts))).toBe(toHex(claim.auxpow));
    expect(toDisplayHex(sha256d(parts.parentHeader))).toBe(facts.parentHash);
    expect(parts.chainIndex).toBe(facts.chainIndex);
    expect(parts.coinbaseBranch).toHaveLength(facts.parentBranchLen);
    expect(2 ** parts.chainBranch.length).toBe(facts.treeSize);
    const script = toHex(parseTransaction(parts.coinbase).inputs[0]!.script);
    expect(script.indexOf("fabe6d6d") / 2).toBe(facts.magicOffset === -1 ? -0.5 : facts.magicOffset);
    const root = foldMerkleBranch(reversed(claim.hash), parts.chainBranch, parts.chainIndex);
    expect(script.indexOf(toDisplayHex(root)) / 2).toBe(facts.rootOffset);
    const behind = script.slice(2 * (facts.rootOffset + 32));
    expect(new DataView(fromHex(behind).buffer).getUint32(4, true)).toBe(facts.nonce);
    expect(slotOf(facts.nonce, claim.chainId, parts.chainBranch.length)).toBe(facts.chainIndex);
  });

  test.each(real)("$name is refused for another hash, chain, target or byte", ({ claim, facts }) => {
    expect(verifyAuxPow({ ...claim, hash: claim.hash.with(5, claim.hash[5]! ^ 1) })).toBe("root_missing");
    expect(verifyAuxPow({ ...claim, target: 2n ** 128n })).toBe("high_hash");
    if (facts.treeSize > 1) expect(verifyAuxPow({ ...claim, chainId: claim.chainId ^ 1 })).toBe("index");
    expect(verifyAuxPow({ ...claim, auxpow: claim.auxpow.subarray(1) })).toBeDefined();
    for (let at = 0; at < claim.auxpow.length; at += 7) {
      const auxpow = claim.auxpow.with(at, claim.auxpow[at]! ^ 0x10);
      const parts = parseAuxPow(claim.auxpow);
      // What no daemon looks at: the hash of the parent, and the coinbase's index.
      const free = parts.coinbase.length + 32 + 1 + 32 * parts.coinbaseBranch.length;
      const ignored = (at >= parts.coinbase.length && at < parts.coinbase.length + 32) || (at >= free && at < free + 4);
      if (!ignored) expect(verifyAuxPow({ ...claim, auxpow }), `byte ${at}`).toBeDefined();
    }
  });

  test.each(real)("$name cut short anywhere cannot be read", ({ claim }) => {
    for (let size = 0; size < claim.auxpow.length; size += 5) {
      expect(verifyAuxPow({ ...claim, auxpow: claim.auxpow.subarray(0, size) })).toBe("malformed");
    }
    expect(verifyAuxPow({ ...claim, auxpow: concat(claim.auxpow, Uint8Array.of(0)) })).toBe("malformed");
  });
});

describe("one header that Namecoin Core and Elastos.ELA took", () => {
  const target = targetFromCompact(0x207fffff);
  const submitted = exchange.exchanges.flatMap(({ request }) => {
    if (request.method !== "submitauxblock") return [];
    const { params } = request;
    if (Array.isArray(params)) return [{ hash: params[0] as string, auxpow: params[1] as string, chainId: 1 }];
    const { blockhash, auxpow } = params as { blockhash: string; auxpow: string };
    return [{ hash: blockhash, auxpow, chainId: 1224 }];
  });

  test("was submitted to both", () => expect(submitted).toHaveLength(2));

  test.each(submitted)("is taken by every rule for chain $chainId", ({ hash, auxpow, chainId }) => {
    const claim = { auxpow: fromHex(auxpow), hash: fromHex(hash), chainId, strictChainId: true, target };
    expect(verifyAuxPow({ ...claim, everywhere: true })).toBeUndefined();
    expect(toHex(serializeAuxPow(parseAuxPow(claim.auxpow)))).toBe(auxpow);
  });
});

/** What a proof is made of, so that one thing can be wrong while all that hangs on it is right. */
interface Draft {
  readonly version: number;
  readonly script: Uint8Array;
  readonly inputs: number;
  readonly witness: boolean;
  readonly branch: readonly Uint8Array[];
  readonly chainBranch: readonly Uint8Array[];
  readonly chainIndex: number;
  readonly coinbaseIndex: number;
  readonly root: (merkleRoot: Uint8Array) => Uint8Array;
}

const CHAIN = 1;
const HASH = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const MAGIC = fromHex("fabe6d6d");
const u32 = (n: number) => Uint8Array.of(n, n >>> 8, n >>> 16, n >>> 24);
const node = (byte: number) => new Uint8Array(32).fill(byte);
const chainBranch = [node(0x81), node(0x82), node(0x83), node(0x84)];
const INDEX = 11;
const ROOT = reversed(foldMerkleBranch(reversed(HASH), chainBranch, INDEX));
const commitment = concat(MAGIC, ROOT, u32(16), u32(0));
const start = Uint8Array.of(3, 0x40, 0xd1, 0x0c);

const GOOD: Draft = {
  version: 0x20000000,
  script: concat(start, commitment, node(0x99)),
  inputs: 1,
  witness: false,
  branch: [node(0xb1), node(0xb2)],
  chainBranch,
  chainIndex: INDEX,
  coinbaseIndex: 0,
  root: (root) => root,
};

function coinbaseOf({ script, inputs, witness }: Draft): Uint8Array {
  if (inputs === 0) return concat(u32(1), Uint8Array.of(0, 0), u32(0));
  const input = concat(node(0), u32(0xffffffff), Uint8Array.of(script.length), script, u32(0xffffffff));
  const output = concat(new Uint8Array(8), Uint8Array.of(1, 0x51));
  const stripped = concat(u32(1), Uint8Array.of(1), input, Uint8Array.of(1), output, u32(0));
  if (!witness) return stripped;
  const stack = concat(Uint8Array.of(1, 32), node(0));
  return concat(stripped.subarray(0, 4), Uint8Array.of(0, 1), stripped.subarray(4, -4), stack, u32(0));
}

function proofOf(change: Partial<Draft>): AuxPow {
  const draft = { ...GOOD, ...change };
  const coinbase = coinbaseOf(draft);
  const merkleRoot = foldMerkleBranch(sha256d(stripWitness(coinbase)), draft.branch, 0);
  const parentHeader = concat(u32(draft.version), node(7), draft.root(merkleRoot), u32(1), u32(2), u32(3));
  return {
    coinbase,
    parentHash: sha256d(parentHeader),
    coinbaseBranch: draft.branch,
    coinbaseIndex: draft.coinbaseIndex,
    chainBranch: draft.chainBranch,
    chainIndex: draft.chainIndex,
    parentHeader,
  };
}

const judge = (change: Partial<Draft>, claim: Partial<AuxPowClaim> = {}): AuxPowFlaw | undefined =>
  verifyAuxPow({
    auxpow: serializeAuxPow(proofOf(change)),
    hash: HASH,
    chainId: CHAIN,
    strictChainId: true,
    target: MAX_TARGET,
    everywhere: true,
    ...claim,
  });

const script = (...parts: readonly Uint8Array[]) => ({ script: concat(...parts) });

/** For each rule, a proof in which nothing but that rule is broken. */
const BROKEN: Readonly<Record<AuxPowFlaw, AuxPowFlaw | undefined>> = {
  malformed: judge({}, { auxpow: serializeAuxPow(proofOf({})).subarray(1) }),
  parent_version: judge({ version: 0x20000100 }),
  high_hash: judge({}, { target: 2n ** 200n }),
  parent_chain_id: judge({ version: 0x00010000 }),
  chain_branch_too_long: judge({ chainBranch: Array.from({ length: 31 }, () => node(1)) }),
  merkle_root: judge({ root: (root) => reversed(root) }),
  no_inputs: judge({ inputs: 0 }),
  root_missing: judge(script(start, MAGIC, reversed(ROOT), u32(16), u32(0))),
  magic_twice: judge(script(start, commitment, MAGIC)),
  magic_not_before_root: judge(script(start, MAGIC, Uint8Array.of(0), ROOT, u32(16), u32(0))),
  root_too_late: judge(script(node(1).subarray(0, 21), ROOT, u32(16), u32(0)), { everywhere: false }),
  size_missing: judge(script(start, MAGIC, ROOT, u32(16), u32(0).subarray(0, 3))),
  size: judge(script(start, MAGIC, ROOT, u32(8), u32(0))),
  index: judge(script(start, MAGIC, ROOT, u32(16), u32(1))),
  magic_missing: judge(script(node(1).subarray(0, 20), ROOT, u32(16), u32(0))),
  coinbase_index: judge({ coinbaseIndex: 5 }),
  witness: judge({ witness: true }),
};

describe("each rule of an AuxPoW proof", () => {
  test("lets the good proof pass", () => {
    expect(judge({})).toBeUndefined();
    expect(judge({}, { everywhere: false })).toBeUndefined();
  });

  test.each(Object.keys(BROKEN) as AuxPowFlaw[])("%s, broken alone, is refused by its name", (rule) => {
    expect(BROKEN[rule]).toBe(rule);
  });

  test("what real namecoind took and refused in regtest comes out the same", () => {
    const alike = { everywhere: false };
    expect(judge(script(node(1).subarray(0, 20), ROOT, u32(16), u32(0)), alike)).toBeUndefined();
    expect(judge(script(node(1), node(1).subarray(0, 28), commitment), alike)).toBeUndefined();
    expect(judge(script(start, commitment), alike)).toBeUndefined();
    expect(judge(script(start, commitment, node(2), node(2), node(2)), alike)).toBeUndefined();
    expect(judge({ witness: true }, alike)).toBeUndefined();
    expect(judge({ coinbaseIndex: 5 }, alike)).toBeUndefined();
    expect(judge({ branch: Array.from({ length: 12 }, (_, i) => node(i)) }, alike)).toBeUndefined();
    expect(judge({ version: 0x3fffe000 }, alike)).toBeUndefined();
    expect(judge({ version: 0x00010104 }, alike)).toBe("parent_version");
    expect(judge({ version: 0x00010000 }, { ...alike, strictChainId: false })).toBeUndefined();
    expect(judge(script(start, MAGIC, commitment), alike)).toBe("magic_twice");
  });

  test("is judged for any bytes without a throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (auxpow) => {
        expect(judge({}, { auxpow })).toBeDefined();
      }),
    );
    const good = serializeAuxPow(proofOf({}));
    const change = fc.record({ at: fc.nat({ max: good.length - 1 }), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(change, ({ at, byte }) => {
        judge({}, { auxpow: good.with(at, byte) });
      }),
    );
  });

  test("a proof that is built of wrong lengths is a mistake of the program", () => {
    expect(() => serializeAuxPow({ ...proofOf({}), parentHash: new Uint8Array(31) })).toThrow(TypeError);
    expect(() => serializeAuxPow({ ...proofOf({}), parentHeader: new Uint8Array(79) })).toThrow(TypeError);
  });
});
