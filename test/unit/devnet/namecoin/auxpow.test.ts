/** The daemon's own judge of proofs: real proofs, what real daemons took, and namecoind's answers of a live matrix. */
import { describe, expect, test } from "vitest";
import { targetFromCompact } from "../../../../src/bitcoin/target.ts";
import { auxPowFlaw, type Judged, readAuxPow } from "../../../../src/devnet/namecoin/auxpow.ts";
import { fromHex } from "../../../../src/kernel/bytes.ts";
import {
  auxPowHex,
  internal,
  type ParentRecipe,
  type ProofRecipe,
  parentBlock,
  tag,
  tree,
} from "../../../support/parent-block.ts";
import vectors from "../../../vectors/mergemining.json" with { type: "json" };
import recorded from "../../../vectors/one-header-four-chains.json" with { type: "json" };

const EASY = targetFromCompact(0x207fffff);
const HASH = "22bd21bdc1c7bcbbee55db8b56d48e6acd8f32cd6f0078ba85368219af0e26d3";
const display = Buffer.from(HASH, "hex");

function judge(hex: string, more: Partial<Judged> = {}): string | undefined {
  const judged = { hash: internal(HASH), target: EASY, chainId: 1, strictChainId: true, ...more };
  return auxPowFlaw(readAuxPow(fromHex(hex)), judged);
}

describe("real proofs", () => {
  test.each(vectors.auxpow)("$name", ({ auxpowHex, auxHash, bits, chainId, strictChainId }) => {
    const target = targetFromCompact(Number.parseInt(bits, 16));
    expect(judge(auxpowHex, { hash: internal(auxHash), target, chainId, strictChainId })).toBeUndefined();
    expect(judge(auxpowHex, { hash: internal(HASH), target, chainId, strictChainId })).toBe(
      "Aux POW missing chain merkle root in parent coinbase",
    );
  });

  test("the one that namecoind and Elastos.ELA took for one header", () => {
    const sent = (daemon: string): unknown =>
      recorded.exchanges.find((each) => each.daemon.startsWith(daemon) && each.request.method === "submitauxblock")
        ?.request.params;
    const [hash, proof] = sent("Namecoin") as [string, string];
    expect(judge(proof, { hash: internal(hash) })).toBeUndefined();
    const { blockhash, auxpow } = sent("Elastos") as { blockhash: string; auxpow: string };
    expect(judge(auxpow, { hash: internal(blockhash), chainId: 1224 })).toBeUndefined();
    expect(judge(auxpow, { hash: internal(blockhash), chainId: 1 })).toBe("Aux POW wrong index");
  });
});

/** A proof whose coinbase has `scriptSig`. */
const proof = (scriptSig: Uint8Array, parent: Partial<ParentRecipe> = {}, more: ProofRecipe = {}): string =>
  auxPowHex(parentBlock({ scriptSig, target: EASY, ...parent }), more);
const fill = (size: number): Buffer => Buffer.alloc(size, 0x11);
const behind = (size: number, bytes: Uint8Array): Buffer => Buffer.concat([fill(size), bytes]);

/** A tree in which our block has the slot that `nonce` gives, and its proof. */
function inTree(height: number, nonce: number, slot: number, claimedSize = 2 ** height, chainIndex = slot): string {
  const { root, branch } = tree(new Map([[slot, internal(HASH)]]), height, slot);
  const commitment = tag(Buffer.from(root).reverse(), claimedSize, nonce);
  return proof(behind(4, commitment), {}, { chainBranch: branch, chainIndex });
}

const MULTIPLE = "Multiple merged mining headers in coinbase";
const MISSING = "Aux POW missing chain merkle root in parent coinbase";

describe("as a real namecoind answered in regtest", () => {
  test.each<[string, string, string | undefined]>([
    ["a single chain", proof(behind(4, tag(display))), undefined],
    ["size 16, nonce 0", inTree(4, 0, 11), undefined],
    ["size 16, nonce 2677055472", inTree(4, 2677055472, 11), undefined],
    ["height 10, nonce 7", inTree(10, 7, 672439754 % 1024), undefined],
    ["no magic, root at 6", proof(behind(6, tag(display, 1, 0, false))), undefined],
    ["no magic, root at 20", proof(behind(20, tag(display, 1, 0, false))), undefined],
    [
      "no magic, root at 21",
      proof(behind(21, tag(display, 1, 0, false))),
      "Aux POW chain merkle root must start in the first 20 bytes of the parent coinbase",
    ],
    ["magic at 60", proof(behind(60, tag(display))), undefined],
    ["as a push", proof(Buffer.concat([fill(4), Buffer.of(44), tag(display)])), undefined],
    ["8 bytes behind the root", proof(tag(display)), undefined],
    [
      "7 bytes behind the root",
      proof(tag(display).subarray(0, 43)),
      "Aux POW missing chain merkle tree size and nonce in parent coinbase",
    ],
    ["a script of 150 bytes", proof(Buffer.concat([tag(display), fill(106)])), undefined],
    ["the root in internal order", proof(behind(4, tag(internal(HASH)))), MISSING],
    ["a coinbase with witness", proof(behind(4, tag(display)), {}, { withWitness: true }), undefined],
    ["a coinbase without outputs", proof(behind(4, tag(display)), { outputs: [] }), undefined],
    ["any parent hash", proof(behind(4, tag(display)), {}, { hashBlock: fill(32) }), undefined],
    ["coinbase index 5", proof(behind(4, tag(display)), {}, { nIndex: 5 }), undefined],
    [
      "12 levels of transactions",
      proof(behind(4, tag(display)), { branch: Array.from({ length: 12 }, () => fill(32)) }),
      undefined,
    ],
    ["another size", inTree(4, 0, 11, 8), "Aux POW merkle branch size does not match parent coinbase"],
    [
      "parent version 0x20000100",
      proof(behind(4, tag(display)), { version: 0x20000100 }),
      "auxpow parent block has auxpow version",
    ],
    ["parent version 0x3fffe000", proof(behind(4, tag(display)), { version: 0x3fffe000 }), undefined],
    [
      "parent version 0x00010000",
      proof(behind(4, tag(display)), { version: 0x00010000 }),
      "Aux POW parent has our chain ID",
    ],
    [
      "parent version 0x00010104",
      proof(behind(4, tag(display)), { version: 0x00010104 }),
      "auxpow parent block has auxpow version",
    ],
    [
      "a second magic before it",
      proof(Buffer.concat([Buffer.from("fabe6d6d", "hex"), fill(3), tag(display)])),
      MULTIPLE,
    ],
    ["a second magic behind it", proof(Buffer.concat([tag(display), Buffer.from("fabe6d6d", "hex")])), MULTIPLE],
    ["weak work", proof(behind(4, tag(display)), { weak: true }), "AUX proof of work failed"],
  ])("%s", (_what, hex, flaw) => {
    expect(judge(hex)).toBe(flaw);
  });
});

describe("rules that only a forger breaks", () => {
  test.each<[string, string, string]>([
    ["another slot", inTree(4, 0, 10), "Aux POW wrong index"],
    ["a slot that is not the branch's", inTree(4, 0, 11, 16, 10), MISSING],
    ["slot -1", inTree(4, 0, 11, 16, 0xffffffff), MISSING],
    [
      "a tree of height 31",
      proof(fill(50), {}, { chainBranch: Array.from({ length: 31 }, () => fill(32)) }),
      "Aux POW chain merkle branch too long",
    ],
    [
      "the magic elsewhere",
      proof(Buffer.concat([Buffer.from("fabe6d6d", "hex"), fill(1), tag(display, 1, 0, false)])),
      "Merged mining header is not just before chain merkle root",
    ],
    [
      "a coinbase that is not in the parent",
      proof(behind(4, tag(display))).replace("11111111fabe", "11111112fabe"),
      "Aux POW merkle root incorrect",
    ],
  ])("%s", (_what, hex, flaw) => {
    expect(judge(hex)).toBe(flaw);
  });

  test("a chain that is not strict takes a parent with its chain ID", () => {
    expect(judge(proof(behind(4, tag(display)), { version: 0x00010000 }), { strictChainId: false })).toBeUndefined();
  });

  test("every prefix of a proof is too short, and bytes behind it are not read", () => {
    const hex = inTree(4, 0, 11);
    for (let end = 0; end < hex.length; end += 2) {
      expect(() => readAuxPow(fromHex(hex.slice(0, end))), `${end / 2} bytes`).toThrow();
    }
    expect(readAuxPow(fromHex(`${hex}00`)).size).toBe(hex.length / 2);
  });
});
