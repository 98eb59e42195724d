/**
 * Chains that a coinbase of a large pool carries side by side, as they stand in real ones: three of the AuxPoW family, two with
 * tags whose place matters, one that forbids bytes, and a static tag. A plugin must get along with those that it does not exclude by nature.
 */
import { concat, fromHex, utf8 } from "../kernel/bytes.ts";
import type { ChainCommitments } from "../merge/placement.ts";
import type { Commitment, OutputCommitment } from "../merge/plugin.ts";
import { indexOf } from "./occurrences.ts";

/** The aux block hash of the neighbour with this chain ID. */
const hashOf = (chainId: number): Uint8Array => new Uint8Array(32).fill(chainId);

const leaf = (chainId: number): Commitment => ({
  kind: "auxpow",
  chainId,
  hash: hashOf(chainId),
  strictChainId: true,
});

const RSK = utf8("RSKBLOCK:");
const HATHOR = utf8("Hath");
const SYS = utf8("sys");

/** All of them by name. */
const ALL: Readonly<Record<string, readonly Commitment[]>> = {
  namecoin: [leaf(1)],
  fractal: [leaf(8228)],
  elastos: [leaf(1224)],
  syscoin: [
    leaf(16),
    {
      kind: "output",
      script: concat(fromHex("6a27"), SYS, new Uint8Array(32).fill(0x77), fromHex("10562200")),
      forbid: SYS,
    },
  ],
  hathor: [{ kind: "output", script: concat(fromHex("6a24"), HATHOR, new Uint8Array(32).fill(0x78)), first: HATHOR }],
  rsk: [
    {
      kind: "output",
      script: concat(fromHex("6a29"), RSK, new Uint8Array(32).fill(0x79)),
      last: RSK,
      maxBytesAfter: 128,
    },
  ],
  core: [{ kind: "output", script: concat(fromHex("6a2d"), utf8("CORE"), new Uint8Array(41).fill(0x7a)) }],
};

/** Those that can stand beside `commitments`: other chain IDs, and no claim to the same bytes. */
export function neighboursOf(commitments: readonly Commitment[]): readonly ChainCommitments[] {
  return Object.entries(ALL)
    .filter(([, theirs]) => !theirs.some((a) => commitments.some((b) => excludes(a, b))))
    .map(([chain, theirs], i) => ({
      chain: `neighbour-${chain}`,
      work: {
        id: `neighbour-${i}`,
        hash: hashOf(theirs.find((each) => each.kind === "auxpow")?.chainId ?? i),
        parent: "neighbour",
        height: 1,
        target: 1n << 240n,
        value: undefined,
        details: {},
      },
      commitments: theirs,
    }));
}

function excludes(a: Commitment, b: Commitment): boolean {
  if (a.kind === "auxpow" || b.kind === "auxpow")
    return a.kind === "auxpow" && b.kind === "auxpow" && a.chainId === b.chainId;
  return (
    claims(a).some((part) => indexOf(b.script, part) >= 0) || claims(b).some((part) => indexOf(a.script, part) >= 0)
  );
}

function claims({ first, last, forbid }: OutputCommitment): readonly Uint8Array[] {
  return [first, last, forbid].filter((part) => part !== undefined);
}
