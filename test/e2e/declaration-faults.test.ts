/** What goes wrong around declared jobs, over real sockets: floods, unfinished messages, a node that goes away, transactions that vanish. */
import { describe, expect, onTestFinished, test } from "vitest";
import { systemRandom } from "../../src/app/system.ts";
import { TOKENS } from "../../src/app/tokens.ts";
import { scriptOfAddress } from "../../src/bitcoin/address.ts";
import { composedServer } from "../support/composed-server.ts";
import { customFields } from "../support/custom-client.ts";
import { below, commitment, DeclaringClient, type Draft, pathOf, reach } from "../support/declaring-client.ts";
import { encodeMessage } from "../support/messages.ts";
import type { MockMiner } from "../support/mock-miner.ts";
import { dsha, internal } from "../support/parent-block.ts";
import { until } from "../support/until.ts";

const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const PAYOUT = scriptOfAddress(ADDRESS, "regtest");
const WHOLE = 20;

async function world(changes: Record<string, unknown> = {}, limits: Record<string, unknown> = {}) {
  const server = await composedServer({
    job_declaration: { listen_addr: "127.0.0.1:0", ...changes },
    limits: { connections_per_address: 2000, handshakes_per_second: 1000, ...limits },
  } as Parameters<typeof composedServer>[0]);
  const { running, node } = server;
  return { ...server, place: running, client: () => DeclaringClient.connect(running, node) };
}

/** A transaction with a witness of `size` bytes, as it stands in a block, and its txid. */
function large(size: number): { readonly raw: Buffer; readonly txid: Buffer } {
  const input = Buffer.concat([
    Buffer.from(systemRandom().bytes(32)),
    Buffer.from("00000000" + "00" + "fdffffff", "hex"),
  ]);
  const outputs = Buffer.from(`01${"00".repeat(8)}0151`, "hex");
  const [version, locktime] = [Buffer.from("02000000", "hex"), Buffer.alloc(4)];
  const length = Buffer.alloc(5, 0xfe);
  length.writeUInt32LE(size, 1);
  const witness = Buffer.concat([Buffer.of(1), length, Buffer.alloc(size, 0x5a)]);
  return {
    raw: Buffer.concat([version, Buffer.of(0, 1, 1), input, outputs, witness, locktime]),
    txid: dsha(Buffer.concat([version, Buffer.of(1), input, outputs, locktime])),
  };
}

/** A job on the tip of `base` with ten transactions that nobody else has, 1 MB together. */
function megabyte({ template }: Draft): Draft {
  const all = Array.from({ length: 10 }, () => large(100_000));
  const raws = all.map(({ raw }) => raw);
  const wtxids = raws.map((raw) => dsha(raw));
  const fields = customFields({
    height: template.height,
    prevHash: internal(template.previousblockhash),
    nBits: Number.parseInt(template.bits, 16),
    ntime: template.curtime,
    version: template.version,
    outputs: [
      { value: BigInt(template.coinbasevalue), script: PAYOUT },
      { value: 0n, script: commitment(wtxids) },
    ],
    merklePath: pathOf(all.map(({ txid }) => txid)),
  });
  return { template, fields, raws, wtxids };
}

describe("job declaration", () => {
  test("of 1 MB by each of 100 clients stays within its bytes, and jobs of a miner come in time", async () => {
    const declared_bytes = 20_000_000;
    const { client, miner, ready, node, place } = await world({ validation: "structure", declared_bytes });
    await ready("namecoin", "rsk");
    const declarations = place.container.resolve(TOKENS.declarations);
    if (declarations === undefined) throw new Error("no declaration server");
    const base = await (await client()).draft(PAYOUT);
    const clients = await Promise.all(Array.from({ length: 100 }, client));
    const own = await miner();
    await own.openExtended({ userIdentity: "own", minExtranonceSize: 8 });
    await own.next("SetNewPrevHash");
    let [most, verdicts] = [0, 0];
    const watch = setInterval(() => {
      most = Math.max(most, declarations.declaredBytes + declarations.underWay.taken);
    }, 1);
    onTestFinished(() => clearInterval(watch));
    const all = Promise.all(
      clients.map(async (each) => {
        const verdict = await each.declare((await each.token()).miningJobToken, megabyte(base), WHOLE);
        verdicts += 1;
        return verdict;
      }),
    );
    await until("first verdicts", () => verdicts > 5, 20_000);
    const sinceMs = performance.now();
    await node.call("generatetoaddress", [1, ADDRESS]);
    await own.next("SetNewPrevHash");
    const tookMs = performance.now() - sinceMs;
    const results = await all;
    expect(verdicts).toBe(100);
    const accepted = results.filter((verdict) => verdict instanceof Uint8Array).length;
    expect(accepted).toBeGreaterThan(5);
    const refused = new Set(results.filter((verdict) => typeof verdict === "string"));
    expect([...refused].filter((code) => code !== "stale-chain-tip" && code !== "internal-error")).toEqual([]);
    expect(most).toBeGreaterThan(5_000_000);
    expect(most).toBeLessThanOrEqual(2 * declared_bytes);
    expect(declarations.underWay.taken).toBe(0);
    expect(tookMs).toBeLessThan(2_000);
  });

  test("in unfinished messages stays bounded: the client with the most is closed, others go on", async () => {
    const { client, ready, place, log } = await world({});
    await ready("namecoin", "rsk");
    const good = await client();
    const draft = await good.draft(PAYOUT);
    const floods: MockMiner[] = [];
    for (let i = 0; i < 20; i++) {
      const jd = await reach(place, place.declaration ?? "");
      await jd.setup({ protocol: 1, flags: 1 });
      floods.push(jd);
    }
    const transactionList = [Buffer.alloc(4_100_000)];
    const long = encodeMessage("ProvideMissingTransactionsSuccess", { requestId: 1, transactionList });
    let closed = 0;
    for (const jd of floods) {
      void jd.closed.then(() => {
        closed += 1;
      });
      // All but the end of a message of 4.1 MB.
      jd.sendRaw(jd.seal(long).subarray(0, -1000));
    }
    await until("some to be closed", () => closed >= 3, 20_000);
    await until(
      "a line about it",
      () =>
        log.some(({ message }) =>
          message.includes(
            "the unfinished messages of all clients together are too large, and this client's is the largest",
          ),
        ),
      5_000,
    );
    expect(await good.declare((await good.token()).miningJobToken, draft, WHOLE)).toBeInstanceOf(Uint8Array);
    expect(closed).toBeLessThan(10);
  });

  test("is answered when the node is away, and goes on when it is back", async () => {
    const { client, ready, node } = await world();
    await ready("namecoin", "rsk");
    const it = await client();
    const draft = await it.draft(PAYOUT);
    await node.stop();
    expect(await it.declare((await it.token()).miningJobToken, draft, WHOLE)).toBe("internal-error");
    await node.start(new AbortController().signal);
    await ready("namecoin", "rsk");
    expect(await it.declare((await it.token()).miningJobToken, await it.draft(PAYOUT), WHOLE)).toBeInstanceOf(
      Uint8Array,
    );
  });

  test("is not harmed when its transactions leave the mempool: the block is whole all the same", async () => {
    const { client, ready, node } = await world();
    await ready("namecoin", "rsk");
    const it = await client();
    const channel = await it.channel();
    const draft = await it.draft(PAYOUT);
    expect(draft.raws.length).toBeGreaterThan(0);
    const token = await it.declare((await it.token()).miningJobToken, draft, WHOLE);
    const jobId = (await it.set(channel.channelId, token as Uint8Array, draft)) as number;
    node.mempool.clear();
    expect(node.mempool.size).toBe(0);
    // The templates with these transactions are forgotten here too.
    for (let i = 0; i < 3; i++) await it.template();
    const { hash, errorCode } = await it.share(channel, jobId, draft, below(246));
    expect(errorCode).toBeUndefined();
    await until("the block", () => node.chain.tip.key === hash, 10_000);
  });
});
