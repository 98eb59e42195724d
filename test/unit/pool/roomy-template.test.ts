/** Templates with more room than the node left, rebuilt with node:crypto and nothing of the code that makes them. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTransaction } from "../../../src/bitcoin/transaction.ts";
import type { Template } from "../../../src/mining/template.ts";
import { roomyTemplate } from "../../../src/pool/templates/roomy-template.ts";
import { makeTemplate } from "../../support/fake-chain.ts";

const dsha = (bytes: Uint8Array): Buffer =>
  createHash("sha256").update(createHash("sha256").update(bytes).digest()).digest();

/** Core's ComputeMerkleRoot, level by level. */
function root(leaves: readonly Buffer[]): Buffer {
  let level = [...leaves];
  while (level.length > 1) {
    if (level.length % 2 === 1) level.push(level.at(-1) as Buffer);
    level = Array.from({ length: level.length / 2 }, (_, i) =>
      dsha(Buffer.concat([level[2 * i] as Buffer, level[2 * i + 1] as Buffer])),
    );
  }
  return level[0] as Buffer;
}

/** Without marker, flag and the two witness items that the made-up transactions have. */
function txidOf(raw: Uint8Array): Buffer {
  const witness = 1 + 1 + 71 + 1 + 33;
  return dsha(Buffer.concat([raw.subarray(0, 4), raw.subarray(6, raw.length - 4 - witness), raw.subarray(-4)]));
}

const template = (count: number): Template =>
  makeTemplate({ height: 500, prevHash: new Uint8Array(32).fill(1), transactions: count });

describe("a template with more room", () => {
  test("is the same where the node left enough", () => {
    const it = template(3);
    expect(roomyTemplate(it, { bytes: 1000, sigops: 400 })).toBe(it);
  });

  test("cannot be had without fees, wtxids, transactions or sigops, nor beyond an empty block", () => {
    const it = template(3);
    const wanted = { bytes: 1001, sigops: 1 };
    const { fees: _fees, ...withoutFees } = it;
    const { wtxids: _wtxids, ...withoutWtxids } = it;
    expect(roomyTemplate(withoutFees, wanted)).toBeUndefined();
    expect(roomyTemplate(withoutWtxids, wanted)).toBeUndefined();
    expect(roomyTemplate({ ...it, transactions: undefined }, wanted)).toBeUndefined();
    expect(roomyTemplate(it, { bytes: 1, sigops: 401 })).toBeUndefined();
    expect(roomyTemplate(it, { bytes: 100_000, sigops: 1 })).toBeUndefined();
  });

  test("leaves out the fewest from the end, with their fees; path and commitment are of what is left", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1001, max: 4000 }), (count, bytes) => {
        const before = template(count);
        const it = roomyTemplate(before, { bytes, sigops: 400 });
        const raws = (before.transactions ?? []).map((raw) => Buffer.from(raw));
        const room = (kept: number): number =>
          raws.slice(kept).reduce((sum, raw) => {
            const stripped = raw.length - 2 - (1 + 1 + 71 + 1 + 33);
            return sum + Math.floor((3 * stripped + raw.length) / 4);
          }, 1000);
        const kept = [...Array(count + 1).keys()].reverse().find((each) => room(each) >= bytes);
        if (kept === undefined) {
          expect(it).toBeUndefined();
          return;
        }
        expect(it?.transactionCount).toBe(kept + 1);
        expect(it?.coinbaseValue).toBe(before.coinbaseValue - BigInt(count - kept) * 1000n);
        expect(it?.coinbaseRoom.bytes).toBe(room(kept));
        const left = raws.slice(0, kept);
        const coinbase = Buffer.alloc(32, 9);
        const folded = (it?.merklePath ?? []).reduce<Buffer>(
          (node, sibling) => dsha(Buffer.concat([node, sibling])),
          coinbase,
        );
        expect(folded).toEqual(root([coinbase, ...left.map(txidOf)]));
        const commitment = dsha(Buffer.concat([root([Buffer.alloc(32), ...left.map(dsha)]), Buffer.alloc(32)]));
        expect(Buffer.from(it?.coinbase.outputs[0]?.script ?? [])).toEqual(
          Buffer.concat([Buffer.from("6a24aa21a9ed", "hex"), commitment]),
        );
        expect(left.every((raw) => parseTransaction(raw).inputs.length === 1)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
