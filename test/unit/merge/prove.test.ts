import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBlock } from "../../../src/bitcoin/block.ts";
import { sha256d } from "../../../src/bitcoin/hash.ts";
import { headerHash, serializeHeader } from "../../../src/bitcoin/header.ts";
import { foldMerklePath, merklePathOfFirst } from "../../../src/bitcoin/merkle.ts";
import { MAX_TARGET, targetFromCompact, targetToBytes } from "../../../src/bitcoin/target.ts";
import { stripWitness, txid } from "../../../src/bitcoin/transaction.ts";
import { concat, fromDisplayHex, fromHex, reversed, toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { verifyAuxPow } from "../../../src/merge/auxpow/verify.ts";
import { composeJob } from "../../../src/merge/compose.ts";
import { closedCoinbase, findOpen } from "../../../src/merge/open-coinbase.ts";
import type { ChainCommitments } from "../../../src/merge/placement.ts";
import type { Proof } from "../../../src/merge/plugin.ts";
import { buildProof, checkProof } from "../../../src/merge/prove.ts";
import { rskPartialMerkle } from "../../../src/merge/rsk/proof.ts";
import { verifyRsk } from "../../../src/merge/rsk/verify.ts";
import type { AuxEntry } from "../../../src/mining/aux.ts";
import { buildJob, type Job, jobMerkleRoot } from "../../../src/mining/job.ts";
import { payout } from "../../support/conversation.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import vectors from "../../vectors/mergemining.json" with { type: "json" };
import exchange from "../../vectors/one-header-four-chains.json" with { type: "json" };

const random = seededRandom(21);
const workOf = (target: bigint, hash = random.bytes(32)) => ({
  id: toHex(hash),
  hash,
  parent: "parent",
  height: 7,
  target,
  value: undefined,
  details: {},
});

function wantedOf(chainIds: readonly number[], target: bigint): ChainCommitments[] {
  const leaves = chainIds.map((chainId): ChainCommitments => {
    const work = workOf(target);
    const leaf = { kind: "auxpow" as const, chainId, hash: work.hash, strictChainId: true };
    const script = concat(Uint8Array.of(0x6a, 39), utf8("sys"), random.bytes(36));
    const tag = { kind: "output" as const, script, forbid: utf8("sys") };
    return { chain: `chain-${chainId}`, work, commitments: chainId === 16 ? [leaf, tag] : [leaf] };
  });
  const work = workOf(target);
  const script = concat(Uint8Array.of(0x6a, 41), utf8("RSKBLOCK:"), work.hash);
  const tag = { kind: "output" as const, script, maxBytesAfter: 128, last: utf8("RSKBLOCK:") };
  const hath = workOf(target);
  const first = utf8("Hath");
  const hathScript = concat(Uint8Array.of(0x6a, 36), first, hath.hash);
  return [
    ...leaves,
    { chain: "rsk", work, commitments: [tag] },
    { chain: "hathor", work: hath, commitments: [{ kind: "output", script: hathScript, first }] },
  ];
}

const headerOf = (job: Job, extranonce: Uint8Array, version = job.version) =>
  serializeHeader({
    version,
    prevHash: job.prevHash,
    merkleRoot: jobMerkleRoot(job, extranonce),
    time: job.minTime,
    nBits: job.nBits,
    nonce: 77,
  });

describe("a proof built from a share and its job", () => {
  const chainId = fc.integer({ min: 0, max: 0x1fff });

  test("verifies for every chain of any job", () => {
    const chains = fc.uniqueArray(fc.oneof(chainId, fc.constantFrom(1, 16, 1224)), { maxLength: 6 });
    const bytes = fc.uint8Array({ minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(
        chains,
        fc.nat({ max: 9 }),
        bytes,
        fc.nat({ max: 0xffff }),
        (ids, transactions, extranonce, rolled) => {
          const template = makeTemplate({ height: 840_000, prevHash: new Uint8Array(32), transactions });
          const parts = { template, payout, tag: utf8("/pool/"), jobId: 1, nowMs: 0 };
          const wanted = wantedOf(ids, MAX_TARGET);
          const { job, dropped } = composeJob(parts, wanted, { chainIds: new Map(), generation: 1 });
          expect(dropped).toEqual([]);
          const header = headerOf(job, extranonce, 0x20000000 | (rolled << 13));
          for (const entry of job.aux!.entries) {
            const proof = buildProof(job, entry, { header, extranonce });
            expect(checkProof(proof, entry)).toBeUndefined();
            expect(proof.transactionCount).toBe(transactions + 1);
            const { hash, target } = entry.work;
            if (entry.chain === "rsk") expect(verifyRsk({ ...proof, hash, target })).toBeUndefined();
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("is its own: later changes to the share's bytes do not reach it", () => {
    const template = makeTemplate({ height: 840_000, prevHash: new Uint8Array(32) });
    const parts = { template, payout, tag: utf8("/pool/"), jobId: 1, nowMs: 0 };
    const { job } = composeJob(parts, wantedOf([1], MAX_TARGET), { chainIds: new Map(), generation: 1 });
    const extranonce = new Uint8Array(20).fill(3);
    const header = headerOf(job, extranonce);
    const [entry] = job.aux!.entries;
    const proof = buildProof(job, entry!, { header, extranonce });
    header.fill(0);
    extranonce.fill(0);
    expect(checkProof(proof, entry!)).toBeUndefined();
    expect(() => buildProof(job, entry!, { header: new Uint8Array(79), extranonce })).toThrow(TypeError);
  });
});

describe("the check of a proof", () => {
  const template = makeTemplate({ height: 840_000, prevHash: new Uint8Array(32), transactions: 4 });
  const parts = { template, payout, tag: utf8("/pool/"), jobId: 1, nowMs: 0 };
  const { job } = composeJob(parts, wantedOf([1, 16], MAX_TARGET), { chainIds: new Map(), generation: 1 });
  const share = (extranonce: Uint8Array, version?: number) => ({
    extranonce,
    header: headerOf(job, extranonce, version),
  });
  const zeros = new Uint8Array(20);
  const entryOf = (chain: string) => job.aux!.entries.find((entry) => entry.chain === chain)!;
  const namecoin = entryOf("chain-1");
  const hathor = entryOf("hathor");
  const judge = (entry: AuxEntry, change: (proof: Proof) => Partial<Proof>, made = share(zeros)) => {
    const proof = buildProof(job, entry, made);
    return checkProof({ ...proof, ...change(proof) }, entry);
  };
  const same = () => ({});

  test.each<[string, AuxEntry, (proof: Proof) => Partial<Proof>, string]>([
    ["another work", namecoin, () => ({ work: workOf(MAX_TARGET) }), "it is for another work"],
    ["a wrong hash of the header", namecoin, () => ({ headerHash: zeros }), "its header has another hash"],
    [
      "another header",
      namecoin,
      (p) => changed(p.header.with(40, p.header[40]! ^ 1)),
      "do not lead to its header's merkle root",
    ],
    [
      "another coinbase",
      hathor,
      (p) => ({ coinbase: p.coinbase.with(50, 1) }),
      "do not lead to its header's merkle root",
    ],
    ["a branch in display order", hathor, (p) => ({ merkleBranch: p.merkleBranch.map(reversed) }), "do not lead to"],
    [
      "a wrong number of transactions",
      hathor,
      () => ({ transactionCount: 9 }),
      "a block of 9 transactions has not 3 levels",
    ],
    ["too few transactions", hathor, () => ({ transactionCount: 4 }), "a block of 4 transactions has not 3 levels"],
    ["no AuxPoW proof", namecoin, () => ({ auxpow: undefined }), "it has no AuxPoW proof"],
    ["an AuxPoW proof too many", hathor, () => ({ auxpow: zeros }), "an AuxPoW proof for a chain without one"],
    ["a spoilt AuxPoW proof", namecoin, (p) => ({ auxpow: p.auxpow!.subarray(1) }), "breaks the rule malformed"],
    [
      "the AuxPoW proof of a sibling",
      namecoin,
      () => ({ auxpow: buildProof(job, entryOf("chain-16"), share(zeros)).auxpow! }),
      "breaks the rule root_missing",
    ],
    [
      "an AuxPoW proof of another share",
      namecoin,
      () => ({ auxpow: buildProof(job, namecoin, share(zeros.with(3, 1))).auxpow! }),
      "of another coinbase or header",
    ],
    ["a header cut short", hathor, (p) => ({ header: p.header.subarray(1) }), "it cannot be read"],
  ])("refuses %s", (_, entry, change, why) => {
    expect(judge(entry, same)).toBeUndefined();
    expect(judge(entry, change)).toContain(why);
  });

  test("refuses a header that is not below the target", () => {
    const work = { ...hathor.work, target: 2n ** 200n };
    const hard = { ...hathor, work };
    expect(checkProof(buildProof(job, hard, share(zeros)), hard)).toBe("its header's hash does not meet the target");
  });

  test("refuses parents whose version the chain refuses", () => {
    expect(judge(namecoin, same, share(zeros, 0x20000100))).toContain("breaks the rule parent_version");
    expect(judge(namecoin, same, share(zeros, 0x00010000))).toContain("breaks the rule parent_chain_id");
    expect(judge(hathor, same, share(zeros, 0x20000100))).toBeUndefined();
  });

  test("finds what a miner's extranonce spoils", () => {
    const magic = zeros.slice();
    magic.set(fromHex("fabe6d6d"), 5);
    expect(judge(namecoin, same, share(magic))).toContain("breaks the rule magic_twice");
    const hath = zeros.slice();
    hath.set(utf8("Hath"), 16);
    expect(judge(hathor, same, share(hath))).toContain("a rule of the chain is broken (occurrence)");
    expect(judge(namecoin, same, share(hath))).toBeUndefined();
  });

  test("refuses a coinbase in which the chain's script is missing or stands twice", () => {
    const { outputs } = template.coinbase;
    const script = hathor.scripts[0]!;
    for (const copies of [0, 2]) {
      const extra = Array.from({ length: copies }, () => ({ value: 0n, script }));
      const changed = { ...template, coinbase: { ...template.coinbase, outputs: [...extra, ...outputs] } };
      const other = buildJob({ ...parts, template: changed });
      const proof = buildProof(other, hathor, { header: headerOf(other, zeros), extranonce: zeros });
      expect(checkProof(proof, hathor)).toBe(`a script of the chain stands ${copies} times among the outputs`);
    }
  });

  const changed = (header: Uint8Array) => ({ header, headerHash: headerHash(header) });
});

describe("one header that four real daemons took", () => {
  const exchanges = exchange.exchanges;
  const resultOf = (method: string, daemon: string) =>
    exchanges.find((each) => each.request.method === method && each.daemon.startsWith(daemon))!.response.result;
  const paramsOf = (method: string, daemon: string) =>
    exchanges.find((each) => each.request.method === method && each.daemon.startsWith(daemon))!.request.params;

  const gbt = resultOf("getblocktemplate", "Bitcoin") as unknown as {
    previousblockhash: string;
    transactions: { data: string; txid: string }[];
    version: number;
    bits: string;
    height: number;
    coinbasevalue: number;
    default_witness_commitment: string;
    mintime: number;
    curtime: number;
  };
  const block = parseBlock(fromHex((paramsOf("submitblock", "Bitcoin") as string[])[0]!));
  const rskWork = resultOf("mnr_getWork", "RSKj") as { blockHashForMergedMining: string; target: string };
  const auxWork = (daemon: string) =>
    resultOf("createauxblock", daemon) as { hash: string; chainid: number; bits: string };

  // That block's coinbase: height, 44 bytes of AuxPoW, 8 of extranonce; RSK's tag behind the witness commitment.
  const rskTag = concat(Uint8Array.of(0x6a, 41), utf8("RSKBLOCK:"), fromHex(rskWork.blockHashForMergedMining.slice(2)));
  const stripped = stripWitness(block.rawTransactions[0]!);
  const magic = findOpen(closedCoinbase(stripped), fromHex("fabe6d6d"));
  const target = targetFromCompact(Number.parseInt(gbt.bits, 16));
  const txids = gbt.transactions.map(({ txid: id }) => fromDisplayHex(id));
  const job = buildJob({
    template: {
      id: "recorded",
      source: "recorded",
      prevHash: fromDisplayHex(gbt.previousblockhash),
      height: gbt.height,
      version: gbt.version,
      nBits: Number.parseInt(gbt.bits, 16),
      target,
      minTime: gbt.mintime,
      curTime: gbt.curtime,
      coinbaseValue: BigInt(gbt.coinbasevalue),
      coinbase: {
        txVersion: 2,
        prefix: Uint8Array.of(1, gbt.height),
        sequence: 0xffffffff,
        lockTime: 0,
        outputs: [
          { value: 0n, script: fromHex(gbt.default_witness_commitment) },
          { value: 0n, script: rskTag },
        ],
        witness: [new Uint8Array(32)],
      },
      merklePath: merklePathOfFirst(txids),
      transactions: gbt.transactions.map(({ data }) => fromHex(data)),
      transactionCount: txids.length + 1,
      coinbaseRoom: { bytes: 1000, sigops: 400 },
    },
    payout: (value) => [{ value, script: Uint8Array.of(0x51) }],
    tag: new Uint8Array(0),
    jobId: 1,
    nowMs: 0,
    extranonceSize: 8,
    commitments: { scriptSig: stripped.subarray(magic, magic + 44) },
  });
  const share = { header: block.headerBytes, extranonce: stripped.subarray(magic + 45, magic + 53) };

  /** Slots of that block's tree of eight leaves: what it had besides the two chains is known by hash only. */
  const submittedTo = (daemon: string): string => {
    const params = paramsOf("submitauxblock", daemon) as string[] | { auxpow: string };
    return Array.isArray(params) ? params[1]! : params.auxpow;
  };
  const entryOf = (daemon: string, index: number, branch: readonly string[]): AuxEntry => {
    const { hash, chainid: chainId, bits } = auxWork(daemon);
    const easy = targetFromCompact(Number.parseInt(bits, 16));
    const work = { ...workOf(easy, fromHex(hash)), id: hash };
    const slot = { chainId, strictChainId: true, index, branch: branch.map(fromHex) };
    return { chain: daemon, work, target: targetToBytes(easy), slot, scripts: [] };
  };
  const leaf = (daemon: string) => reversed(fromHex(auxWork(daemon).hash));
  const pair = (left: Uint8Array, right: Uint8Array) => sha256d(concat(left, right));
  const other = {
    0: "0ae21446a51839f1a801bad93d6248c8138248bb69579320edecc9d8895f2f8c",
    "2-3": "b1671292b8c94624cda8524785784e53708307d491fc87dd9332c28aa8d8ef68",
    5: "72e56a8a04889d98dc2d61d7f6a2a960499feb03b467c3d53fa088d4777d2058",
    "6-7": "0a6a7df2214b9b3a8621934e9362f05ae60ce29a38a8705ba982b793c379c539",
  };
  const lower = pair(pair(fromHex(other[0]), leaf("Namecoin")), fromHex(other["2-3"]));
  const upper = pair(pair(leaf("Elastos"), fromHex(other[5])), fromHex(other["6-7"]));
  const entries = {
    Namecoin: entryOf("Namecoin", 1, [other[0], other["2-3"], toHex(upper)]),
    Elastos: entryOf("Elastos", 4, [other[5], other["6-7"], toHex(lower)]),
  };

  test("is the header of the job made of its template", () => {
    const proof = buildProof(job, entries.Namecoin, share);
    expect(toHex(proof.coinbase)).toBe(toHex(stripped));
    expect(toHex(jobMerkleRoot(job, share.extranonce))).toBe(toHex(block.header.merkleRoot));
    expect(toHex(txid(block.transactions[0]!))).toBe(toHex(sha256d(proof.coinbase)));
  });

  test.each(["Namecoin", "Elastos"] as const)("gives the very bytes that %s took", (daemon) => {
    const proof = buildProof(job, entries[daemon], share);
    expect(toHex(proof.auxpow!)).toBe(submittedTo(daemon));
    expect(checkProof(proof, entries[daemon])).toBeUndefined();
  });

  test("gives the very parameters that RSKj took", () => {
    const hash = fromHex(rskWork.blockHashForMergedMining.slice(2));
    const work = { ...workOf(BigInt(rskWork.target), hash), id: rskWork.blockHashForMergedMining };
    const rules = [{ script: rskTag, maxBytesAfter: 128, last: utf8("RSKBLOCK:") }];
    const entry = { chain: "rsk", work, target: targetToBytes(work.target), slot: undefined, scripts: [rskTag], rules };
    const proof = buildProof(job, entry, share);
    const [blockHash, header, coinbase, merkle, count] = paramsOf(
      "mnr_submitBitcoinBlockPartialMerkle",
      "RSKj",
    ) as string[];
    expect(toHex(reversed(proof.headerHash))).toBe(blockHash);
    expect(toHex(proof.header)).toBe(header);
    expect(toHex(proof.coinbase)).toBe(coinbase);
    expect(rskPartialMerkle(proof)).toBe(merkle);
    expect(proof.transactionCount.toString(16)).toBe(count);
    expect(checkProof(proof, entry)).toBeUndefined();
    expect(verifyRsk({ ...proof, hash, target: work.target })).toBeUndefined();
  });

  test("solves no chain with another nonce or another version", () => {
    const rolled = { ...share, header: share.header.with(1, 1) };
    const claim = { hash: entries.Namecoin.work.hash, chainId: 1, strictChainId: true, target: MAX_TARGET };
    const { auxpow } = buildProof(job, entries.Namecoin, rolled);
    expect(verifyAuxPow({ ...claim, auxpow: auxpow! })).toBe("parent_version");
  });
});

describe("real Hathor blocks", () => {
  test.each(vectors.hathor)("of $source have their hash behind the first mark of the coinbase", (real) => {
    const head = fromHex(real.coinbaseHead);
    const coinbase = concat(head, fromHex(real.baseHash), fromHex(real.coinbaseTail));
    const mark = findOpen(closedCoinbase(coinbase), utf8("Hath"));
    expect(mark + 4).toBe(head.length);
    const path = real.merklePathDisplay.map(fromDisplayHex);
    const root = foldMerklePath(sha256d(coinbase), path);
    const header = concat(fromHex(real.headerHead), root, fromHex(real.headerTail));
    expect(toHex(reversed(headerHash(header)))).toBe(real.expect.hash);
  });
});
