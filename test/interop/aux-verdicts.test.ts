/**
 * Our verifiers and plugins against what real daemons of auxiliary chains say, by their addresses: namecoind (NAMECOIN_RPC, and
 * NAMECOIN_ZMQ), RSKj (RSK_RPC, RSK_WS) and Elastos (ELA_RPC), in regtest and with no other miner. Every rule of a proof is broken
 * alone, and what the daemon answers is compared with our verifier's word and with the embedded daemon's answer.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plugin as elastos } from "../../plugins/elastos/index.ts";
import { plugin as namecoin } from "../../plugins/namecoin/index.ts";
import { plugin as rsk } from "../../plugins/rsk/index.ts";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { headerHash, serializeHeader } from "../../src/bitcoin/header.ts";
import { meetsTarget, targetFromCompact } from "../../src/bitcoin/target.ts";
import { NamecoinDaemon } from "../../src/devnet/namecoin/daemon.ts";
import { RskDaemon } from "../../src/devnet/rsk/daemon.ts";
import { fromHex, toHex, utf8 } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { verifyAuxPow } from "../../src/merge/auxpow/verify.ts";
import { composeJob } from "../../src/merge/compose.ts";
import type { ChainCommitments } from "../../src/merge/placement.ts";
import type { BlockStatus, Proof, SubmittedBlock } from "../../src/merge/plugin.ts";
import { buildProof, checkProof } from "../../src/merge/prove.ts";
import { verifyRsk } from "../../src/merge/rsk/verify.ts";
import type { AuxWork } from "../../src/mining/aux.ts";
import { jobMerkleRoot } from "../../src/mining/job.ts";
import { payout } from "../support/conversation.ts";
import { EASY_BITS, makeTemplate } from "../support/fake-chain.ts";
import { AUXPOW_CASES, type AuxPowDaemon } from "./aux/auxpow-cases.ts";
import { gist, rawCall, resultOf } from "./aux/raw-rpc.ts";
import { RealChain } from "./aux/real-chain.ts";
import { RSK_CASES, submitParams } from "./aux/rsk-cases.ts";

const NAMECOIN = process.env.NAMECOIN_RPC;
const RSK = process.env.RSK_RPC;
const ELASTOS = process.env.ELA_RPC;
for (const [name, url] of Object.entries({ NAMECOIN_RPC: NAMECOIN, RSK_RPC: RSK, ELA_RPC: ELASTOS })) {
  if (url === undefined) console.warn(`SKIPPED: set ${name} to the address of a daemon to compare verdicts with it`);
}

const NAMECOIN_PAYOUT = "msTHUZmDNkrQkN7igdMth9jC7LAuCtRfWs";
const NAMECOIN_OTHER = "mtJJfCA4T1N6SpZrh27EUgu1QFPnmNPpiZ";
const ELASTOS_PAYOUT = "8ZNizBf4KhhPjeJRGpox6rPcHE5Np6tFx3";
const UNKNOWN = "11".repeat(32);

/** What createauxblock answers. */
interface Template {
  readonly hash: string;
  readonly bits: string;
}

/** One way to speak to an AuxPoW daemon. */
interface AuxPowTarget {
  readonly url: string;
  readonly chainId: number;
  readonly create: () => Promise<Template>;
  readonly submit: (hash: string, auxpow: Uint8Array) => ReturnType<typeof rawCall>;
}

const namecoinAt = (url: string): AuxPowTarget => ({
  url,
  chainId: 1,
  create: () => resultOf(url, "createauxblock", [NAMECOIN_PAYOUT]),
  submit: (hash, auxpow) => rawCall(url, "submitauxblock", [hash, toHex(auxpow)]),
});
const elastosAt = (url: string): AuxPowTarget => ({
  url,
  chainId: 1224,
  create: () => resultOf(url, "createauxblock", { paytoaddress: ELASTOS_PAYOUT }),
  submit: (hash, auxpow) => rawCall(url, "submitauxblock", { blockhash: hash, auxpow: toHex(auxpow) }),
});

/** Submits every case; what our verifier and the daemon said, by name. */
async function judgeAuxPow(target: AuxPowTarget, daemon: AuxPowDaemon) {
  const verdicts = new Map<
    string,
    { readonly ours: string | undefined; readonly taken: boolean; readonly said: string }
  >();
  for (const { name, make } of AUXPOW_CASES) {
    const { hash: printed, bits } = await target.create();
    const task = {
      hash: fromHex(printed),
      chainId: target.chainId,
      target: targetFromCompact(Number.parseInt(bits, 16)),
    };
    const auxpow = make(task);
    const ours = verifyAuxPow({ ...task, auxpow, strictChainId: daemon === "namecoin", everywhere: true });
    const answer = await target.submit(printed, auxpow);
    verdicts.set(name, { ours, taken: answer.result === true, said: gist(answer) });
  }
  return verdicts;
}

type Verdicts = Awaited<ReturnType<typeof judgeAuxPow>>;

function auxPowVerdicts(daemon: AuxPowDaemon, verdicts: () => Verdicts): void {
  test.each(AUXPOW_CASES.filter(({ without }) => without !== daemon))("$name", ({ name, rule, lenient }) => {
    const { ours, taken, said } = verdicts().get(name)!;
    expect(ours).toBe(rule);
    expect(taken, said).toBe(rule === undefined || lenient?.[daemon] !== undefined);
  });
}

describe.skipIf(NAMECOIN === undefined)("proofs at namecoind", () => {
  let real: Verdicts;
  let embedded: Verdicts;
  let devnet: NamecoinDaemon;

  beforeAll(async () => {
    devnet = new NamecoinDaemon({ clock: systemClock, random: systemRandom(), log: silentLog });
    await devnet.start(new AbortController().signal);
    real = await judgeAuxPow(namecoinAt(NAMECOIN!), "namecoin");
    embedded = await judgeAuxPow(namecoinAt(embeddedUrl()), "namecoin");
  });
  afterAll(async () => await devnet?.stop());
  const embeddedUrl = (): string => devnet.url.replace("//", `//${devnet.user}:${devnet.password}@`);

  auxPowVerdicts("namecoin", () => real);

  test("the embedded daemon gives the same answers", () => {
    const said = (verdicts: Verdicts) => Object.fromEntries([...verdicts].map(([name, { said }]) => [name, said]));
    expect(said(embedded)).toEqual(said(real));
  });

  test.each<[string, string, unknown]>([
    ["an address of another network", "createauxblock", ["N1H4T6uGRrQqBp5JDSLGLx8n3kdYFqtGBc"]],
    ["no address", "createauxblock", []],
    ["a number for an address", "createauxblock", [1]],
    ["an address by name", "createauxblock", { address: "nonsense" }],
    ["an unknown hash", "submitauxblock", [UNKNOWN, "00"]],
    ["a hash that is none", "submitauxblock", ["zz", "00"]],
    ["a hash alone", "submitauxblock", [UNKNOWN]],
    ["an unknown block", "getblockheader", [UNKNOWN]],
    ["an unknown block, whole", "getblock", [UNKNOWN, 2]],
    ["a block hash that is none", "getblockheader", ["zz"]],
    ["a height beyond the tip", "getblockhash", [1_000_000]],
    ["an unknown method", "createauxblocks", []],
    ["too many parameters", "getbestblockhash", [1, 2]],
  ])("%s is answered alike by the embedded daemon", async (_, method, params) => {
    const [theirs, ours] = [await rawCall(NAMECOIN!, method, params), await rawCall(embeddedUrl(), method, params)];
    expect(gist(ours)).toBe(gist(theirs));
  });

  test.each(["", "00", "zz", "0"])("the proof %j is answered alike by the embedded daemon", async (hex) => {
    const said: string[] = [];
    for (const url of [embeddedUrl(), NAMECOIN!]) {
      const { hash } = await namecoinAt(url).create();
      said.push(gist(await rawCall(url, "submitauxblock", [hash, hex])));
    }
    expect(said[0]).toBe(said[1]);
  });
});

describe.skipIf(ELASTOS === undefined)("proofs at Elastos", () => {
  let real: Verdicts;
  beforeAll(async () => {
    real = await judgeAuxPow(elastosAt(ELASTOS!), "elastos");
  });

  auxPowVerdicts("elastos", () => real);

  test("a refused solution is answered with one of two sentences, or by a panic of the call", () => {
    const refusals = [...real].filter(([, { taken }]) => !taken);
    expect([...new Set(refusals.map(([, { said }]) => said))].sort()).toEqual([
      "0 error 0 connection closed",
      "200 error 45002 adding block failed",
      "200 error 45002 auxpow deserialization failed",
    ]);
    const closed = refusals.filter(([, { said }]) => said.startsWith("0 ")).map(([name]) => name);
    expect(closed).toEqual(["7 bytes behind the root", "a coinbase without inputs"]);
  });
});

/** What mnr_getWork answers. */
interface RskWork {
  readonly blockHashForMergedMining: string;
  readonly target: string;
}

async function judgeRsk(url: string) {
  const verdicts = new Map<
    string,
    { readonly ours: string | undefined; readonly taken: boolean; readonly said: string }
  >();
  for (const { name, make } of RSK_CASES) {
    const work = await resultOf<RskWork>(url, "mnr_getWork", []);
    const task = { hash: fromHex(work.blockHashForMergedMining.slice(2)), target: BigInt(work.target) };
    const made = make(task);
    const ours = verifyRsk({ ...task, ...made, merkleBranch: made.branch });
    const answer = await rawCall(url, "mnr_submitBitcoinBlockPartialMerkle", submitParams(made));
    verdicts.set(name, { ours, taken: answer.error === undefined && answer.result !== undefined, said: gist(answer) });
  }
  return verdicts;
}

describe.skipIf(RSK === undefined)("proofs at RSKj", () => {
  type RskVerdicts = Awaited<ReturnType<typeof judgeRsk>>;
  let real: RskVerdicts;
  let embedded: RskVerdicts;
  let devnet: RskDaemon;

  beforeAll(async () => {
    devnet = new RskDaemon({ clock: systemClock, random: systemRandom(), log: silentLog });
    await devnet.start(new AbortController().signal);
    real = await judgeRsk(RSK!);
    embedded = await judgeRsk(devnet.url);
  });
  afterAll(async () => await devnet?.stop());

  test.each(RSK_CASES)("$name", ({ name, rule }) => {
    const { ours, taken, said } = real.get(name)!;
    expect(ours).toBe(rule);
    expect(taken, said).toBe(rule === undefined);
  });

  test("the embedded node gives the same answers", () => {
    const said = (verdicts: RskVerdicts) => Object.fromEntries([...verdicts].map(([name, { said }]) => [name, said]));
    expect(said(embedded)).toEqual(said(real));
  });

  test.each<[string, string, unknown]>([
    ["an unknown method", "mnr_getWorks", []],
    ["too few parameters", "mnr_submitBitcoinBlockPartialMerkle", ["", "00"]],
    ["no merkle hashes", "mnr_submitBitcoinBlockPartialMerkle", ["", "00", "00", "", "1"]],
    ["a header that is none", "mnr_submitBitcoinBlockPartialMerkle", ["", "00", "00", "11".repeat(32), "1"]],
    ["a header with 0x", "mnr_submitBitcoinBlockPartialMerkle", ["", `0x${"00".repeat(80)}`, "00", "11", "1"]],
    ["a number that is none", "mnr_submitBitcoinBlockPartialMerkle", ["", "00".repeat(80), "00", "11", "zz"]],
    ["a block that is none", "mnr_submitBitcoinBlock", ["00"]],
    ["an unknown block", "eth_getBlockByHash", [`0x${UNKNOWN}`, false]],
    ["a height beyond the tip", "eth_getBlockByNumber", ["0xffffff", false]],
    ["a height that is none", "eth_getBlockByNumber", ["zz", false]],
    ["an uncle that is none", "eth_getUncleByBlockNumberAndIndex", ["0x1", "0x0"]],
    ["an unknown receipt", "eth_getTransactionReceipt", [`0x${UNKNOWN}`]],
  ])("%s is answered alike by the embedded node", async (_, method, params) => {
    const [theirs, ours] = [await rawCall(RSK!, method, params), await rawCall(devnet.url, method, params)];
    expect(gist(ours)).toBe(gist(theirs));
  });
});

/** A made-up Bitcoin block that commits to all of `wanted`, solved for each of them. */
function solve(wanted: readonly ChainCommitments[], seed = 1): ReadonlyMap<string, Proof> {
  const template = makeTemplate({ height: 840_000 + seed, prevHash: new Uint8Array(32).fill(seed), nBits: EASY_BITS });
  const parts = { template, payout, tag: utf8("/interop/"), jobId: 1, nowMs: Date.now() };
  const { job, dropped } = composeJob(parts, wanted, { chainIds: new Map(), generation: 1 });
  expect(dropped).toEqual([]);
  const extranonce = crypto.getRandomValues(new Uint8Array(job.extranonceSize));
  const { version, prevHash, minTime: time, nBits } = job;
  const merkleRoot = jobMerkleRoot(job, extranonce);
  const targets = wanted.flatMap(({ work }) => (work.target > 0n ? [work.target] : []));
  for (let nonce = 0; ; nonce++) {
    const header = serializeHeader({ version, prevHash, merkleRoot, time, nBits, nonce });
    const hash = headerHash(header);
    if (!targets.every((target) => meetsTarget(hash, target))) continue;
    return new Map(
      job.aux!.entries.map((entry) => {
        const proof = buildProof(job, entry, { header, extranonce });
        if (entry.work.target > 0n) expect(checkProof(proof, entry)).toBeUndefined();
        return [entry.chain, proof];
      }),
    );
  }
}

const wish = (name: string, { chain }: RealChain, work: AuxWork): ChainCommitments => {
  const commitments = chain.commit(work);
  return { chain: name, work, commitments: Array.isArray(commitments) ? commitments : [commitments] };
};
const never = new AbortController().signal;
const solveAlone = (name: string, chain: RealChain, work: AuxWork): Proof =>
  solve([wish(name, chain, work)]).get(name)!;
const submitted = ({ work }: Proof, outcome: { blockHash?: string; height?: number }): SubmittedBlock => ({
  work,
  blockHash: outcome.blockHash ?? work.id,
  height: outcome.height ?? work.height,
});
const statusOf = (chain: RealChain, block: SubmittedBlock): Promise<BlockStatus> => chain.chain.status(block, never);

/** Only asks when told to by a first question: what it offered stays its word. */
const still = { notice: "poll" } as const;
const namecoinChain = (payoutAddress = NAMECOIN_PAYOUT, more: object = { poll_s: 60 }, daemon: object = still) =>
  RealChain.open(namecoin, {
    payout: payoutAddress,
    maturity: 4,
    network: "regtest",
    ...more,
    daemons: [{ name: "real", url: NAMECOIN, ...daemon }],
  });
const rskChain = (more: object = { poll_s: 60 }, daemon: object = {}) =>
  RealChain.open(rsk, { maturity: 10, ...more, daemons: [{ name: "real", url: RSK, ...daemon }] });
const elastosChain = (more: object = { poll_s: 60 }) =>
  RealChain.open(elastos, {
    payout: ELASTOS_PAYOUT,
    maturity: 4,
    ...more,
    daemons: [{ name: "real", url: ELASTOS, ...still }],
  });

/** Blocks by somebody else. */
const others = {
  namecoin: (blocks = 1) => resultOf<string[]>(NAMECOIN!, "generatetoaddress", [blocks, NAMECOIN_OTHER]),
  // Whatever the count, one call makes one block.
  elastos: async (blocks = 1) => {
    for (let i = 0; i < blocks; i++) await resultOf(ELASTOS!, "discretemining", { count: 1 });
  },
  rsk: async (blocks = 1) => {
    for (let i = 0; i < blocks; i++) await resultOf(RSK!, "evm_mine", []);
  },
};

const open: RealChain[] = [];
const kept = async (chain: Promise<RealChain>): Promise<RealChain> => {
  const opened = await chain;
  open.push(opened);
  return opened;
};
afterAll(async () => {
  for (const chain of open) await chain.close();
});

describe.skipIf(NAMECOIN === undefined)("our plugin of Namecoin", () => {
  test("a solution, its block and the ways of losing it", async () => {
    const chain = await kept(namecoinChain());
    const rival = await kept(namecoinChain(NAMECOIN_OTHER));
    const { work } = await chain.offer();
    const theirs = (await rival.offer()).work;
    expect(theirs.parent).toBe(work.parent);
    const proof = solveAlone("namecoin", chain, work);
    const outcome = await chain.chain.submit(proof, never);
    expect(outcome).toEqual({ verdict: "accepted", reason: "" });
    const block = submitted(proof, outcome);
    const paid = { state: "confirmed", confirmations: 1, reward: work.value };
    expect(await statusOf(chain, block)).toEqual(paid);

    // Of a second block at that height namecoind says true as well, but it has lost.
    const late = solveAlone("namecoin", rival, theirs);
    const second = await rival.chain.submit(late, never);
    expect(second.verdict).toBe("accepted");
    expect(await statusOf(rival, submitted(late, second))).toMatchObject({ state: "orphaned", confirmations: 0 });
    // So it does of the same one again.
    expect((await chain.chain.submit(proof, never)).verdict).toBe("accepted");

    await resultOf(NAMECOIN!, "invalidateblock", [work.id]);
    expect(await statusOf(chain, block)).toMatchObject({ state: "orphaned", confirmations: 0 });
    await resultOf(NAMECOIN!, "reconsiderblock", [work.id]);
    expect((await statusOf(chain, block)).state).toBe("confirmed");
    const { confirmations } = await statusOf(chain, block);
    await others.namecoin(4 - confirmations);
    expect(await statusOf(chain, block)).toEqual({ state: "mature", confirmations: 4, reward: work.value });

    // With a new template on the new tip all old ones are forgotten; the block is in the chain all the same.
    const fresh = await kept(namecoinChain());
    await fresh.offer(({ parent }) => parent !== work.parent);
    expect((await chain.chain.submit(proof, never)).verdict).toBe("duplicate");
    expect((await rival.chain.submit(late, never)).verdict).toBe("duplicate");
    const missed = solveAlone("namecoin", chain, { ...work, id: UNKNOWN, hash: fromHex(UNKNOWN) });
    expect(await chain.chain.submit(missed, never)).toEqual({ verdict: "stale", reason: "block hash unknown" });
    const unknown = submitted(missed, {});
    expect(await statusOf(chain, unknown)).toMatchObject({ state: "unknown", confirmations: 0 });
  });

  test("a solution that comes too late, and one that is wrong", async () => {
    const chain = await kept(namecoinChain());
    const { work } = await chain.offer();
    const good = solveAlone("namecoin", chain, work);
    const wrong = { ...good, auxpow: good.auxpow!.with(40, good.auxpow![40]! ^ 1) };
    expect((await chain.chain.submit(wrong, never)).verdict).toBe("rejected");
    await others.namecoin();
    const fresh = await kept(namecoinChain());
    await fresh.offer(({ parent }) => parent !== work.parent);
    expect((await chain.chain.submit(good, never)).verdict).toBe("stale");
  });
});

describe.skipIf(ELASTOS === undefined)("our plugin of Elastos", () => {
  test("a solution and its block", async () => {
    const chain = await kept(elastosChain());
    const { work } = await chain.offer();
    const proof = solveAlone("elastos", chain, work);
    const outcome = await chain.chain.submit(proof, never);
    const blockHash = toHex(fromHex(work.id).reverse());
    expect(outcome).toEqual({ verdict: "accepted", reason: "", blockHash });
    const block = submitted(proof, outcome);
    expect(await statusOf(chain, block)).toMatchObject({ state: "confirmed", confirmations: 1 });
    // One sentence for everything: that the block is there must be found out.
    expect((await chain.chain.submit(proof, never)).verdict).toBe("duplicate");
    await others.elastos(3);
    const { state, reward } = await statusOf(chain, block);
    expect(state).toBe("mature");
    expect(reward).toBeGreaterThan(0n);
    const fresh = await kept(elastosChain());
    await fresh.offer(({ parent }) => parent !== work.parent);
    expect((await chain.chain.submit(proof, never)).verdict).toBe("duplicate");
  });

  test("a solution that comes too late, and one that is wrong", async () => {
    const chain = await kept(elastosChain());
    const { work } = await chain.offer();
    const good = solveAlone("elastos", chain, work);
    const wrong = { ...good, auxpow: good.auxpow!.with(40, good.auxpow![40]! ^ 1) };
    expect((await chain.chain.submit(wrong, never)).verdict).toBe("rejected");
    await others.elastos();
    const fresh = await kept(elastosChain());
    await fresh.offer(({ parent }) => parent !== work.parent);
    expect((await chain.chain.submit(good, never)).verdict).toBe("stale");
    expect(await statusOf(chain, submitted(good, { blockHash: toHex(fromHex(work.id).reverse()) }))).toEqual({
      state: "unknown",
      confirmations: 0,
      reward: undefined,
    });
  });

  test("an older template of the same tip can still be solved", async () => {
    const chain = await kept(elastosChain({ poll_s: 1 }));
    const { work } = await chain.offer();
    const { work: newer } = await chain.offer(({ id }) => id !== work.id);
    expect(newer.parent).toBe(work.parent);
    expect((await chain.chain.submit(solveAlone("elastos", chain, work), never)).verdict).toBe("accepted");
  });
});

describe.skipIf(RSK === undefined)("our plugin of RSK", () => {
  test("a solution, its block and an uncle", async () => {
    const chain = await kept(rskChain());
    const { work } = await chain.offer();
    const proof = solveAlone("rsk", chain, work);
    const uncle = solveAlone("rsk", chain, work);
    expect(chain.chain.verify?.(proof)).toBeUndefined();
    const outcome = await chain.chain.submit(proof, never);
    expect(outcome).toMatchObject({ verdict: "accepted", reason: "IMPORTED_BEST", height: work.height });
    const block = submitted(proof, outcome);
    expect(await statusOf(chain, block)).toEqual({ state: "confirmed", confirmations: 1, reward: undefined });
    expect(await chain.chain.submit(proof, never)).toMatchObject({ verdict: "duplicate", reason: "EXIST" });

    const second = await chain.chain.submit(uncle, never);
    expect(second).toMatchObject({ verdict: "accepted", reason: "IMPORTED_NOT_BEST", height: work.height });
    const beside = submitted(uncle, second);
    await others.rsk();
    await expect.poll(async () => (await statusOf(chain, beside)).state).toMatch(/uncle|orphaned/);
    await others.rsk(2);
    expect((await statusOf(chain, beside)).state).toBe("uncle");
    await others.rsk(10);
    const states = [await statusOf(chain, block), await statusOf(chain, beside)];
    expect(states.map(({ state }) => state)).toEqual(["mature", "mature"]);
  });

  test("a solution that is wrong, one for work of long ago, and one for nothing", async () => {
    const chain = await kept(rskChain());
    const { work } = await chain.offer();
    const good = solveAlone("rsk", chain, work);
    const wrong = { ...good, merkleBranch: [...good.merkleBranch].reverse() };
    expect(chain.chain.verify?.(wrong)).toContain("merkle_root");
    expect((await chain.chain.submit(wrong, never)).verdict).toBe("rejected");
    const nothing = solveAlone("rsk", chain, { ...work, id: `0x${UNKNOWN}`, hash: fromHex(UNKNOWN) });
    expect((await chain.chain.submit(nothing, never)).verdict).toBe("stale");
    await others.rsk(21);
    expect((await chain.chain.submit(good, never)).verdict).toBe("stale");
  });
});

describe.skipIf(NAMECOIN === undefined || RSK === undefined || ELASTOS === undefined)("all three", () => {
  test("take one header of one coinbase that commits to five chains", async () => {
    const chains = {
      namecoin: await kept(namecoinChain()),
      rsk: await kept(rskChain()),
      elastos: await kept(elastosChain()),
    };
    const wanted: ChainCommitments[] = [];
    for (const [name, chain] of Object.entries(chains)) wanted.push(wish(name, chain, (await chain.offer()).work));
    const hard = { ...wanted[0]!.work, target: 0n, id: UNKNOWN, hash: fromHex(UNKNOWN) };
    const sys = { kind: "output", script: utf8(`j'sys${"x".repeat(36)}`), forbid: utf8("sys") } as const;
    const leaf = { kind: "auxpow", chainId: 16, hash: hard.hash, strictChainId: true } as const;
    wanted.push({ chain: "syscoin", work: hard, commitments: [leaf, sys] });
    const hath = { kind: "output", script: utf8(`j$Hath${"y".repeat(32)}`), first: utf8("Hath") } as const;
    wanted.push({ chain: "hathor", work: { ...hard, id: "hathor" }, commitments: [hath] });
    const proofs = solve(wanted);
    for (const [name, chain] of Object.entries(chains)) {
      expect(chain.chain.verify?.(proofs.get(name)!)).toBeUndefined();
      expect((await chain.chain.submit(proofs.get(name)!, never)).verdict, name).toBe("accepted");
    }
  });
});

/** Ms from the order to mine a block to our offer on it, and to the daemon's answer to that order. */
async function latency(chain: RealChain, mine: () => Promise<unknown>, rounds = 12) {
  const offers: number[] = [];
  const answers: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { work } = chain.offers.findLast((offer) => offer.work !== undefined) ?? (await chain.offer());
    // At any phase of a poll each two seconds.
    await systemPause(150 + Math.random() * 2000);
    const from = chain.offers.length;
    const startMs = performance.now();
    const mined = mine().then(() => answers.push(performance.now() - startMs));
    const offer = await chain.offer(({ parent }) => parent !== work!.parent, from);
    offers.push(offer.atMs - startMs);
    await mined;
  }
  const of = (values: number[]): string => {
    const sorted = values.toSorted((a, b) => a - b);
    return `median ${sorted[sorted.length >> 1]!.toFixed(1)} ms, most ${sorted.at(-1)!.toFixed(1)} ms`;
  };
  return `offer ${of(offers)}; the daemon's own answer ${of(answers)}`;
}
const systemPause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("from a daemon's new block to our offer", () => {
  const measure = async (what: string, chain: Promise<RealChain>, mine: () => Promise<unknown>): Promise<void> => {
    const opened = await kept(chain);
    await opened.offer();
    console.info(`${what}: ${await latency(opened, mine)}`);
    await opened.close();
  };

  test.skipIf(NAMECOIN === undefined)("Namecoin, each way of notice", async () => {
    const zmq = process.env.NAMECOIN_ZMQ;
    const pay = NAMECOIN_PAYOUT;
    if (zmq !== undefined) {
      const daemon = { zmq_hashblock: zmq };
      await measure("namecoind, ZMQ", namecoinChain(pay, { poll_s: 60 }, daemon), () => others.namecoin());
    }
    const wait = { notice: "wait" };
    await measure("namecoind, waitfornewblock", namecoinChain(pay, { poll_s: 60 }, wait), () => others.namecoin());
    await measure("namecoind, polled each 2 s", namecoinChain(pay, { poll_s: 2 }), () => others.namecoin());
  });

  test.skipIf(RSK === undefined)("RSK, each way of notice", async () => {
    const ws = process.env.RSK_WS;
    if (ws !== undefined) await measure("RSKj, WebSocket", rskChain({ poll_s: 60 }, { ws }), () => others.rsk());
    await measure("RSKj, polled each 2 s", rskChain({ poll_s: 2 }), () => others.rsk());
  });

  test.skipIf(ELASTOS === undefined)("Elastos", async () => {
    await measure("Elastos, polled each 2 s", elastosChain({ poll_s: 2 }), () => others.elastos());
  });
});
