/** The block that proofs in the kit are made of must show a plugin's mistakes: the wrong byte order of any hash in it, too. */
import { describe, expect, test } from "vitest";
import { compose, solve } from "../../src/kit/mined.ts";
import { opReturn } from "../../src/plugin.ts";

const work = {
  id: "w",
  hash: new Uint8Array(32).fill(1),
  parent: "p",
  height: 1,
  target: (1n << 255n) - 1n,
  value: undefined,
  details: {},
};

function proof() {
  const { job, entry } = compose({
    name: "pretendcoin",
    work,
    commitments: [{ kind: "output", script: opReturn(work.hash) }],
  });
  const found = entry === undefined ? undefined : solve(job, entry);
  if (found === undefined) throw new Error("no proof");
  return found;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("the kit's block", () => {
  test("has hashes that read differently backwards", () => {
    const { header, merkleBranch } = proof();
    const hashes = [...merkleBranch, header.slice(4, 36), header.slice(36, 68)].map(hex);
    expect(merkleBranch).toHaveLength(3);
    for (const hash of hashes) expect(hex(Uint8Array.from(Buffer.from(hash, "hex")).reverse())).not.toBe(hash);
    expect(new Set(hashes).size).toBe(5);
  });
});
