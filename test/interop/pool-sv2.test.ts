/**
 * SRI's pool_sv2, fed by a template provider of our own: our CPU miner mines on it and what it finds becomes a block of the
 * embedded node. What of its conduct a client of pools has to bear is shown message by message.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { addressOfScript, scriptOfAddress } from "../../src/bitcoin/address.ts";
import { parseTransaction } from "../../src/bitcoin/transaction.ts";
import { CpuMiner } from "../../src/devnet/miner/miner.ts";
import type { DevnetNode } from "../../src/devnet/node/node.ts";
import { toHex } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { decodeAuthorityPublicKey } from "../../src/sv2/noise/authority-key.ts";
import { NoiseInitiator } from "../../src/sv2/noise/handshake.ts";
import { EASIEST_TARGET, MockMiner } from "../support/mock-miner.ts";
import { until } from "../support/until.ts";
import { foreign } from "./foreign/install.ts";
import { startMiner } from "./foreign/miner.ts";
import { POOL_SV2 } from "./foreign/pins.ts";
import { PAYOUT_ADDRESS, startNode } from "./foreign/pool.ts";
import { type SriPool, startSriPool } from "./foreign/sri-pool.ts";
import { type Solution, TemplateProvider } from "./foreign/template-provider.ts";

const binary = await foreign(POOL_SV2);
const WAIT_MS = 120_000;
/** Shares that one SubmitShares.Success acknowledges. */
const BATCH = 5;
/** Another payout than the pool's own. */
const OTHER_SCRIPT = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(7));
const OTHER_ADDRESS = addressOfScript(OTHER_SCRIPT, "regtest") ?? "";

/** A block whose parent is not the tip any more: its rival was there first. */
const isLate = (verdict: unknown): boolean => verdict === "inconclusive" || verdict === "duplicate-inconclusive";

describe.skipIf(binary === undefined)("SRI's pool_sv2 on our template provider", () => {
  let node: DevnetNode;
  let provider: TemplateProvider;
  let pool: SriPool;
  const cleanups: (() => void)[] = [];

  beforeAll(async () => {
    // A block takes our miner some 2 s.
    node = await startNode(3e6);
    provider = await TemplateProvider.start(node);
    pool = await startSriPool(binary ?? "", provider, { payoutAddress: PAYOUT_ADDRESS, shareBatchSize: BATCH });
  });

  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  afterAll(async () => {
    await pool?.stop();
    await provider?.stop();
    await node?.stop();
  });

  const connect = async (flags = 0): Promise<MockMiner> => {
    const crypto = nodeCrypto({ log: silentLog });
    const authorityPublicKey = decodeAuthorityPublicKey(pool.authorityPublicKey);
    const noise = new NoiseInitiator({ crypto, clock: systemClock, random: systemRandom() }, { authorityPublicKey });
    const client = await MockMiner.connect(`${pool.host}:${pool.port}`, { noise });
    cleanups.push(() => client.destroy());
    expect(await client.setup({ flags })).toEqual({ usedVersion: 2, flags: 0 });
    return client;
  };

  /** What the pool handed in from now on. */
  const solutionsFromNow = () => {
    const before = provider.solutions.length;
    const all = () => provider.solutions.slice(before);
    return { taken: () => all().filter(({ verdict }) => verdict === null), refused: () => all().filter(isRefused) };
  };
  const isRefused = ({ verdict }: Solution): boolean => verdict !== null && !isLate(verdict);
  const expectOurBlock = ({ hash, coinbase }: Solution): void => {
    expect(node.chain.find(hash), "it is in the node's chain").toBeDefined();
    const [payout] = parseTransaction(coinbase).outputs;
    expect(toHex(payout?.script ?? new Uint8Array())).toBe(toHex(scriptOfAddress(PAYOUT_ADDRESS, "regtest")));
  };

  test("`mine` finds blocks on an extended channel", async () => {
    const { taken, refused } = solutionsFromNow();
    const before = pool.accepted();
    const miner = startMiner(pool.url, "alice.rig1", "--extended");
    await until("two blocks were accepted", () => taken().length >= 2, WAIT_MS);
    const workOnTip = (): boolean => miner.events("newBlock").at(-1)?.prevHash === node.chain.tip.key;
    await until("work on the newest", workOnTip, WAIT_MS);
    const accepted = miner.accepted();
    await until("accepted shares on it", () => miner.accepted() > accepted, WAIT_MS);
    await miner.stop();

    expect(miner.events("channel")[0]).toMatchObject({ kind: "extended" });
    expect(pool.opened()).toContain("alice.rig1");
    expect(pool.accepted() - before).toBeGreaterThanOrEqual(miner.accepted());
    for (const solution of taken()) {
      expect(miner.blocks()).toContain(solution.hash);
      expectOurBlock(solution);
    }
    expect(refused()).toEqual([]);
    expect(miner.refusals()).toEqual([]);
    expect(pool.said()).not.toContain("panicked");
  });

  test("a miner that requires standard jobs finds blocks on a standard channel", async () => {
    const { taken, refused } = solutionsFromNow();
    const crypto = nodeCrypto({ log: silentLog });
    const authorityPublicKey = decodeAuthorityPublicKey(pool.authorityPublicKey);
    const miner = new CpuMiner(
      { clock: systemClock, random: systemRandom(), log: silentLog, crypto },
      { ...pool, authorityPublicKey, channel: "standard", requiresStandardJobs: true, threads: 0 },
    );
    await miner.start(new AbortController().signal);
    try {
      await until("two blocks were accepted", () => taken().length >= 2, WAIT_MS);
    } finally {
      await miner.stop();
    }
    for (const solution of taken()) expectOurBlock(solution);
    expect(refused()).toEqual([]);
    expect(miner.counts.sharesAccepted).toBeGreaterThan(0);
  });

  test("loses blocks of a standard channel that works on the group's jobs", async () => {
    const { taken, refused } = solutionsFromNow();
    const miner = startMiner(pool.url, "alice.rig1");
    // The first job is the channel's own; the block that it ends with brings the first of the group.
    await until("a block was accepted", () => taken().length >= 1, WAIT_MS);
    await until("one was refused", () => refused().length >= 1, WAIT_MS);
    await miner.stop();
    expect(miner.events("channel")[0]).toMatchObject({ kind: "standard" });
    expect(taken().length).toBe(1);
    for (const { verdict, coinbase } of refused()) {
      expect(verdict).toBe("high-hash");
      // The witness commitment stands there twice, so it is not the coinbase that was mined.
      const [, commitment, again] = parseTransaction(coinbase).outputs;
      expect(again).toEqual(commitment);
    }
    expect(miner.refusals()).toEqual([]);
  });

  test("asks for room for its payout, and some more", () => {
    // A P2WPKH output has 31 bytes; SRI adds the 43 and 4 sigops of the largest that a client may want.
    expect(provider.constraints).toEqual([
      { coinbaseOutputMaxAdditionalSize: 74, coinbaseOutputMaxAdditionalSigops: 4 },
    ]);
  });

  test.each([[0], [4], [8], [12], [16]])(
    "gives 4 bytes of prefix and 16 to roll when %i are asked for",
    async (min) => {
      const client = await connect();
      const opened = await client.openExtended({ minExtranonceSize: min });
      expect(opened).toMatchObject({ channelId: 2, groupChannelId: 1, extranonceSize: 16 });
      expect(opened.extranoncePrefix.length).toBe(4);
      expect(opened.extranoncePrefix[0]).toBe(1);
      const { channelId } = opened;
      expect(await client.expect("NewExtendedMiningJob")).toMatchObject({ channelId, jobId: 1, minNtime: null });
      expect(await client.expect("SetNewPrevHash")).toMatchObject({ channelId, jobId: 1 });
    },
  );

  test("refuses a channel of more than 16 bytes to roll", async () => {
    const client = await connect();
    const wish = { requestId: 5, userIdentity: "a", nominalHashRate: 1, maxTarget: EASIEST_TARGET };
    client.send("OpenExtendedMiningChannel", { ...wish, minExtranonceSize: 17 });
    const refusal = { requestId: 5, errorCode: "min-extranonce-size-too-large" };
    expect(await client.expect("OpenMiningChannelError")).toEqual(refusal);
  });

  test("speaks to all channels of a connection at once, standard ones too", async () => {
    const client = await connect();
    await client.openExtended();
    await client.next("SetNewPrevHash");
    const standard = await client.openStandard();
    expect(standard).toMatchObject({ channelId: 3, groupChannelId: 1 });
    expect(standard.extranoncePrefix.length).toBe(20);
    // Each channel counts its first job itself: job 1 of one is not job 1 of the other.
    expect(await client.expect("NewMiningJob")).toMatchObject({ channelId: 3, jobId: 1, minNtime: null });
    expect(await client.expect("SetNewPrevHash")).toMatchObject({ channelId: 3, jobId: 1 });

    await provider.refresh();
    const job = await client.expect("NewExtendedMiningJob");
    expect(job).toMatchObject({ channelId: 1, versionRollingAllowed: true });
    expect(job.minNtime).not.toBeNull();
    await provider.newBlock();
    const future = await client.expect("NewExtendedMiningJob");
    expect(future).toMatchObject({ channelId: 1, minNtime: null });
    expect(future.jobId).toBeGreaterThan(job.jobId);
    expect(await client.expect("SetNewPrevHash")).toMatchObject({ channelId: 1, jobId: future.jobId });
    await client.quiet(300);
  });

  test("speaks to each channel of a client that requires standard jobs", async () => {
    const client = await connect(1);
    for (const channelId of [2, 3]) {
      expect(await client.openStandard()).toMatchObject({ channelId, groupChannelId: 1 });
      await client.next("SetNewPrevHash");
    }
    await provider.newBlock();
    const jobs = [await client.expect("NewMiningJob"), await client.expect("NewMiningJob")];
    expect(jobs.map(({ channelId }) => channelId).sort()).toEqual([2, 3]);
    const tips = [await client.expect("SetNewPrevHash"), await client.expect("SetNewPrevHash")];
    expect(tips.map(({ channelId }) => channelId).sort()).toEqual([2, 3]);
    await client.quiet(300);
  });

  test("acknowledges shares by number, never by time", async () => {
    const client = await connect();
    // A claim of nothing gets the easiest target: every hash is a share.
    const { channelId, target } = await client.openExtended({ nominalHashRate: 0 });
    expect(toHex(target)).toBe("ff".repeat(32));
    const { version } = await client.next("NewExtendedMiningJob");
    const { minNtime: ntime } = await client.next("SetNewPrevHash");
    const extranonce = new Uint8Array(16);
    for (let sequenceNumber = 0; sequenceNumber < 2 * BATCH + 2; sequenceNumber++) {
      const share = { channelId, sequenceNumber, jobId: 1, nonce: sequenceNumber, ntime, version, extranonce };
      client.send("SubmitSharesExtended", share);
    }
    for (const last of [BATCH - 1, 2 * BATCH - 1]) {
      const batch = { channelId, lastSequenceNumber: last, newSubmitsAcceptedCount: BATCH, newSharesSum: 0n };
      expect(await client.expect("SubmitSharesSuccess")).toEqual(batch);
    }
    await client.quiet(2000);
  });

  test("answers every UpdateChannel with SetTarget, a wrong one with an error besides", async () => {
    const client = await connect();
    const { channelId, target } = await client.openExtended({ nominalHashRate: 1e6 });
    await client.next("SetNewPrevHash");
    client.send("UpdateChannel", { channelId, nominalHashRate: 1e6, maximumTarget: EASIEST_TARGET });
    expect(await client.expect("SetTarget")).toEqual({ channelId, maximumTarget: target });
    client.send("UpdateChannel", { channelId, nominalHashRate: -1, maximumTarget: EASIEST_TARGET });
    expect(await client.expect("UpdateChannelError")).toEqual({ channelId, errorCode: "invalid-nominal-hashrate" });
    expect(await client.expect("SetTarget")).toEqual({ channelId, maximumTarget: target });
    client.send("UpdateChannel", { channelId: 77, nominalHashRate: 1e6, maximumTarget: EASIEST_TARGET });
    const unknown = { channelId: 77, errorCode: "invalid-channel-id" };
    expect(await client.expect("UpdateChannelError")).toEqual(unknown);
    await client.quiet(300);
  });

  test("agrees on worker tracking, and says which extensions it has not", async () => {
    const client = await connect();
    client.send("RequestExtensions", { requestId: 1, requestedExtensions: [2, 3] });
    expect(await client.expect("RequestExtensionsSuccess")).toEqual({ requestId: 1, supportedExtensions: [2] });
    client.send("RequestExtensions", { requestId: 2, requestedExtensions: [3] });
    const refusal = { requestId: 2, unsupportedExtensions: [3], requiredExtensions: [] };
    expect(await client.expect("RequestExtensionsError")).toEqual(refusal);
    await client.openExtended();
  });

  test("pays all channels of a connection as the one that was opened last", async () => {
    const client = await connect();
    await client.openExtended({ userIdentity: "alice" });
    const own = toHex(scriptOfAddress(PAYOUT_ADDRESS, "regtest"));
    expect(toHex((await client.next("NewExtendedMiningJob")).coinbaseTxSuffix)).toContain(own);
    await client.next("SetNewPrevHash");
    await client.openExtended({ userIdentity: `sri/solo/${OTHER_ADDRESS}/rig1` });
    await client.next("SetNewPrevHash");
    await provider.refresh();
    const job = await client.expect("NewExtendedMiningJob");
    expect(job.channelId).toBe(1);
    expect(toHex(job.coinbaseTxSuffix)).toContain(toHex(OTHER_SCRIPT));
    expect(toHex(job.coinbaseTxSuffix)).not.toContain(own);
  });

  test.each([
    ["", undefined],
    ["alice.rig1", undefined],
    [OTHER_ADDRESS, undefined],
    [`sri/donate/10/${OTHER_ADDRESS}/rig1`, undefined],
    ["sri/solo/nobody/rig1", "invalid-user-identity"],
    ["sri/anything", "invalid-user-identity"],
  ])("on a channel for %j: %s", async (userIdentity, errorCode) => {
    const client = await connect();
    const wish = { requestId: 1, nominalHashRate: 1, maxTarget: EASIEST_TARGET, minExtranonceSize: 8 };
    client.send("OpenExtendedMiningChannel", { ...wish, userIdentity });
    if (errorCode === undefined) await client.expect("OpenExtendedMiningChannelSuccess");
    else expect(await client.expect("OpenMiningChannelError")).toEqual({ requestId: 1, errorCode });
  });
});
