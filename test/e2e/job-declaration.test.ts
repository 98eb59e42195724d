/** Job declaration from the client's side, over real sockets with Noise, on embedded daemons: SRI's scenarios, and the merge mining that is ours. */
import { describe, expect, test } from "vitest";
import { scriptOfAddress } from "../../src/bitcoin/address.ts";
import { RSK_TAG } from "../../src/merge/rsk/proof.ts";
import { composedServer } from "../support/composed-server.ts";
import { below, DeclaringClient, reach, type ServerPlace } from "../support/declaring-client.ts";
import { SETUP_CONNECTION } from "../support/mock-miner.ts";
import { dsha } from "../support/parent-block.ts";
import { until } from "../support/until.ts";

const PAYOUT = scriptOfAddress("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "regtest");
const WHOLE = 20;

async function world(changes: Record<string, unknown> = {}) {
  const server = await composedServer({
    job_declaration: { listen_addr: "127.0.0.1:0", ...changes },
  } as Parameters<typeof composedServer>[0]);
  const { running, node } = server;
  const place: ServerPlace = running;
  const client = (flags?: number): Promise<DeclaringClient> => DeclaringClient.connect(place, node, flags);
  return { ...server, place, client };
}

describe("a declaring client", () => {
  test("declares, sets and mines a job that wins Bitcoin, Namecoin and RSK with one header", async () => {
    const { client, ready, node, namecoin, rsk } = await world();
    await ready("namecoin", "rsk");
    const it = await client();
    it.jd.send("RequestExtensions", { requestId: 1, requestedExtensions: [0x4d4d] });
    expect((await it.jd.next("RequestExtensionsSuccess")).supportedExtensions).toEqual([0x4d4d]);
    it.mining.send("RequestExtensions", { requestId: 1, requestedExtensions: [0x4d4d] });
    expect((await it.mining.next("RequestExtensionsSuccess")).supportedExtensions).toEqual([0x4d4d]);
    it.jd.send("SubscribeCommitments", { requestId: 9, maxScriptSigSize: 60, maxOutputsSize: 500 });
    expect(await it.jd.next("SubscribeCommitmentsSuccess")).toEqual({ requestId: 9, minIntervalMs: 250 });
    const told = await it.jd.next("Commitments");
    expect([...told.chains].sort()).toEqual(["namecoin", "rsk"]);
    const channel = await it.channel();
    const size = channel.extranoncePrefix.length + channel.extranonceSize;
    expect(size).toBe(WHOLE);
    const { miningJobToken } = await it.token();
    const draft = await it.draft(PAYOUT, { script: told.scriptSig, outputs: told.outputScripts });
    const token = await it.declare(miningJobToken, draft, size);
    expect(token).toBeInstanceOf(Uint8Array);
    const jobId = (await it.set(channel.channelId, token as Uint8Array, draft)) as number;
    expect(jobId).toBeTypeOf("number");
    expect([...(await it.mining.next("CustomJobChains")).chains].sort()).toEqual(["namecoin", "rsk"]);
    const before = [node.chain.tip.height, namecoin.chain.tip.height, rsk.chain.tip.number];
    const { hash, errorCode } = await it.share(channel, jobId, draft, below(246));
    expect(errorCode).toBeUndefined();
    await until("a Bitcoin block", () => node.chain.tip.height > (before[0] as number), 10_000);
    await until("a Namecoin block", () => namecoin.chain.tip.height > (before[1] as number), 10_000);
    await until("an RSK block", () => rsk.chain.tip.number > (before[2] as number), 10_000);
    expect(node.chain.tip.key).toBe(hash);
  });

  test("gets the outputs of wanted chains with its token; a job that holds them counts for these", async () => {
    const { client, ready, rsk } = await world({ commit_outputs: ["rsk", "namecoin"] });
    await ready("namecoin", "rsk");
    const it = await client();
    const { coinbaseTxOutputs, miningJobToken } = await it.token();
    const bytes = Buffer.from(coinbaseTxOutputs);
    expect(bytes[0]).toBe(2);
    expect(bytes.includes(Buffer.from(PAYOUT))).toBe(true);
    const at = bytes.indexOf(Buffer.from(RSK_TAG));
    expect(at).toBeGreaterThan(0);
    const script = bytes.subarray(at - 2);
    const channel = await it.channel();
    const draft = await it.draft(PAYOUT, { outputs: [script] });
    const token = await it.declare(miningJobToken, draft, WHOLE);
    const jobId = (await it.set(channel.channelId, token as Uint8Array, draft)) as number;
    const before = rsk.chain.tip.number;
    await it.share(channel, jobId, draft, below(248), { above: below(246) });
    await until("an RSK block", () => rsk.chain.tip.number > before, 10_000);
  });

  test("in coinbase-only mode sets its token at once, and submits its blocks itself", async () => {
    const { client, ready, node, log } = await world();
    await ready("namecoin", "rsk");
    const it = await client(0);
    const { miningJobToken } = await it.token();
    const channel = await it.channel();
    const draft = await it.draft(PAYOUT);
    const jobId = (await it.set(channel.channelId, miningJobToken, draft)) as number;
    expect((await it.share(channel, jobId, draft, below(250), { above: below(246) })).errorCode).toBeUndefined();
    const height = node.chain.tip.height;
    await it.share(channel, jobId, draft, below(246));
    await until(
      "a line about the block",
      () => log.some(({ message }) => message.includes(`found at height ${height + 1}`)),
      5_000,
    );
    expect(log.filter(({ message }) => message.includes("REFUSED"))).toEqual([]);
    expect(node.chain.tip.height).toBe(height);
  });

  test("pushes a solution, which is propagated at once, also before its share", async () => {
    const { client, ready, node } = await world();
    await ready("namecoin", "rsk");
    const it = await client();
    const channel = await it.channel();
    const draft = await it.draft(PAYOUT);
    const token = await it.declare((await it.token()).miningJobToken, draft, WHOLE);
    expect(token).toBeInstanceOf(Uint8Array);
    const { nonce, extranonce, hash } = await it.share(channel, 0, draft, below(246), { send: false });
    const { prevHash, minNtime: ntime, nbits, version } = draft.fields;
    it.jd.send("PushSolution", { extranonce, prevHash, nonce: nonce + 1, ntime, nbits, version });
    it.jd.send("PushSolution", { extranonce, prevHash, nonce, ntime, nbits, version });
    await until("the pushed block", () => node.chain.tip.key === hash, 10_000);
  });

  test("is asked for transactions that nobody here has; others that it sends cost it the declaration alone", async () => {
    const { client, ready } = await world({ validation: "structure" });
    await ready("namecoin", "rsk");
    const it = await client();
    const draft = await it.draft(PAYOUT);
    // Another witness makes another wtxid of the same transaction.
    const strange = Buffer.concat([draft.raws[0]?.subarray(0, -4) as Buffer, Buffer.alloc(4, 9)]);
    const withStrange = { ...draft, wtxids: [dsha(strange), ...draft.wtxids.slice(1)] };
    const requestId = it.sendDeclare((await it.token()).miningJobToken, withStrange, WHOLE);
    expect(await it.jd.next("ProvideMissingTransactions")).toEqual({ requestId, unknownTxPositionList: [0] });
    it.jd.send("ProvideMissingTransactionsSuccess", { requestId: 7777, transactionList: [strange] });
    it.jd.send("ProvideMissingTransactionsSuccess", { requestId, transactionList: [draft.raws[0] as Buffer] });
    expect(await it.jd.next("DeclareMiningJobError")).toMatchObject({ requestId, errorCode: "missing-txs" });
    // It is still there, and so is everybody else.
    expect(await it.declare((await it.token()).miningJobToken, draft, WHOLE)).toBeInstanceOf(Uint8Array);
  });

  test("has its own request ids: two clients with the same do not meet", async () => {
    const { client, ready } = await world();
    await ready("namecoin", "rsk");
    const [a, b] = [await client(), await client()];
    const [draftA, draftB] = [await a.draft(PAYOUT), await b.draft(PAYOUT, { without: 1 })];
    const [tokenA, tokenB] = [await a.token("a"), await b.token("b")];
    a.sendDeclare(tokenA.miningJobToken, draftA, WHOLE, 5);
    b.sendDeclare(tokenB.miningJobToken, draftB, WHOLE, 5);
    expect(await a.verdict(5, draftA)).toBeInstanceOf(Uint8Array);
    // Fees are missing, so the node refuses what takes them all the same.
    expect(await b.verdict(5, draftB)).toBe("invalid-job");
  });
});

describe("the server refuses", () => {
  test("what is no job declaration of version 2 with its transactions", async () => {
    const { place } = await world({ coinbase_only: false });
    const answers: (readonly [number, string])[] = [];
    for (const setup of [
      { protocol: 0, flags: 1 },
      { protocol: 1, flags: 1, minVersion: 3, maxVersion: 3 },
      { protocol: 1, flags: 0 },
      { protocol: 1, flags: 5 },
    ]) {
      const jd = await reach(place, place.declaration ?? "");
      jd.send("SetupConnection", { ...SETUP_CONNECTION, ...setup });
      const { flags: told, errorCode } = await jd.expect("SetupConnectionError");
      answers.push([told, errorCode]);
      expect(await jd.closed).toBeUndefined();
    }
    expect(answers).toEqual([
      [0, "unsupported-protocol"],
      [0, "protocol-version-mismatch"],
      [0, "missing-declare-tx-data-flag"],
      [4, "unsupported-feature-flags"],
    ]);
  });

  test("tokens that are forged, somebody else's, used or not declared yet", async () => {
    const { client, ready } = await world();
    await ready("namecoin", "rsk");
    const [a, b] = [await client(), await client()];
    const draft = await a.draft(PAYOUT);
    const channel = await a.channel();
    const { miningJobToken } = await a.token();
    expect(await a.declare(new Uint8Array(16), draft, WHOLE)).toBe("invalid-mining-job-token");
    expect(await b.declare(miningJobToken, draft, WHOLE)).toBe("invalid-mining-job-token");
    expect(await a.set(channel.channelId, miningJobToken, draft)).toBe("job-not-yet-validated");
    const declared = (await a.declare(miningJobToken, draft, WHOLE)) as Uint8Array;
    expect(declared).toBeInstanceOf(Uint8Array);
    expect(await a.declare(miningJobToken, draft, WHOLE)).toBe("invalid-mining-job-token");
    expect(await a.set(channel.channelId, declared, draft)).toBeTypeOf("number");
    expect(await a.set(channel.channelId, declared, draft)).toBe("invalid-mining-job-token");
  });

  test("jobs that the node would refuse, that pay too little, or are late", async () => {
    const { client, ready, node } = await world();
    await ready("namecoin", "rsk");
    const it = await client();
    const declare = async (wish: Parameters<DeclaringClient["draft"]>[1]) =>
      it.declare((await it.token()).miningJobToken, await it.draft(PAYOUT, wish), WHOLE);
    expect(await declare({ extra: 1n })).toBe("invalid-job");
    expect(await declare({ extra: -5_000_000_000n })).toBe("invalid-coinbase-tx");
    expect(await it.declare((await it.token()).miningJobToken, await it.draft(Uint8Array.of(0x51)), WHOLE)).toBe(
      "invalid-coinbase-tx",
    );
    const late = await it.draft(PAYOUT);
    await node.call("generatetoaddress", [1, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"]);
    await ready("namecoin", "rsk");
    expect(await it.declare((await it.token()).miningJobToken, late, WHOLE)).toBe("stale-chain-tip");
    expect(await declare({})).toBeInstanceOf(Uint8Array);
  });
});
