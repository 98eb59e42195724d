/** namecoind's RPC of merge mining: its recorded answers, its templates with their bugs, and what becomes of blocks. */
import { describe, expect, test } from "vitest";
import { answer } from "../../../../src/devnet/rpc/protocol.ts";
import { NAMECOIN_ADDRESS, namecoin, solve } from "../../../support/namecoin.ts";
import recorded from "../../../vectors/daemon-rpc.json" with { type: "json" };

const never = new AbortController().signal;
interface Exchange {
  readonly daemon: string;
  readonly note?: string;
  readonly request: { readonly method: string; readonly params: readonly unknown[] };
  readonly status: number;
  readonly response: { readonly result: unknown };
}
const exchanges = recorded.exchanges as unknown as readonly Exchange[];
const ofNamecoin = exchanges.filter(({ daemon }) => daemon.startsWith("Namecoin"));

/** Paths of all fields with the JSON type of their values; of lists the first entry. */
function shape(value: unknown, path = "", into: Record<string, string> = {}): Record<string, string> {
  if (Array.isArray(value)) {
    into[path] = "list";
    if (value.length > 0) shape(value[0], `${path}.0`, into);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, each] of Object.entries(value)) shape(each, `${path}.${key}`, into);
  } else into[path] = value === null ? "null" : typeof value;
  return into;
}

/** Not in our answers: scripts in words, descriptors and addresses. */
const LEFT_OUT = /scriptPubKey\.(asm|desc|address)$/;

describe("recorded answers", () => {
  test.each(ofNamecoin.filter(({ status }) => status !== 200))(
    "error: $request.method $note $request.params",
    async (vector) => {
      const net = namecoin();
      const { hash } = await net.create();
      // The recorded hash was the daemon's own work.
      const params = vector.request.params.map((each) => (String(each).startsWith("a2804f5d") ? hash : each));
      const body = JSON.stringify({ ...vector.request, params });
      const got = await answer(body, (method, args, signal) => net.daemon.call(method, args, signal), never);
      expect({ status: got.status, response: JSON.parse(got.body) }).toEqual({
        status: vector.status,
        response: vector.response,
      });
    },
  );

  test.each(ofNamecoin.filter(({ status }) => status === 200))("fields of $request.method", async (vector) => {
    const net = namecoin({ initialBlocks: 115, zmqPort: 0 });
    const { hash } = await net.create();
    await net.submit(hash);
    const { method, params } = vector.request;
    if (method === "getzmqnotifications") return expect(await net.call(method)).toEqual([]);
    const ours = params.map((each) => (/^[0-9a-f]{64}$/.test(String(each)) ? hash : each));
    const got = net.call(method, ...(method === "waitfornewblock" ? [50] : ours));
    if (method === "waitfornewblock") net.clock.advance(50);
    const wanted = Object.entries(shape(vector.response.result)).filter(([path]) => !LEFT_OUT.test(path));
    // Our proof has no tree of chains, and a block of ours is the tip: no entry there.
    const there = wanted.filter(([path]) => !path.endsWith("chainmerklebranch.0"));
    expect(shape(await got)).toEqual(Object.fromEntries(there));
  });

  test("createauxblock tells regtest's work as recorded", async () => {
    const net = namecoin({ initialBlocks: 115 });
    const recordedWork = ofNamecoin.find(({ request }) => request.method === "createauxblock")?.response.result;
    const { hash, previousblockhash, ...rest } = recordedWork as Record<string, unknown>;
    expect(await net.create()).toMatchObject(rest);
    expect((await net.create()).previousblockhash).toBe(net.daemon.chain.tip.key);
  });
});

describe("addresses", () => {
  test.each([
    "ncrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kjt9cgd",
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "",
  ])("%s is none of this network", async (address) => {
    await expect(namecoin().create(address)).rejects.toMatchObject({
      code: -5,
      message: "Error: Invalid coinbase payout address",
    });
  });

  test("base58 and bech32 ones are taken and paid", async () => {
    const { bech32 } = await import("@scure/base");
    const words = [0, ...bech32.toWords(new Uint8Array(20).fill(7))];
    const net = namecoin();
    const { hash } = await net.create(bech32.encode("ncrt", words));
    await net.submit(hash);
    const block = (await net.call("getblock", hash, 2)) as {
      tx: { vout: { value: number; scriptPubKey: { hex: string } }[] }[];
    };
    expect(block.tx[0]?.vout[0]).toMatchObject({ value: 50, scriptPubKey: { hex: `0014${"07".repeat(20)}` } });
  });
});

describe("templates", () => {
  test("flip-flop: the refreshed one comes once, then the old one again; all can be submitted", async () => {
    const net = namecoin();
    const first = await net.create();
    expect(first.coinbasevalue).toBe(50_0000_0000);
    net.daemon.chain.addFee(100_000n);
    expect(await net.create()).toEqual(first);
    net.clock.advance(60_001);
    const second = await net.create();
    expect(second).toMatchObject({
      coinbasevalue: 50_0010_0000,
      height: first.height,
      previousblockhash: first.previousblockhash,
    });
    expect(second.hash).not.toBe(first.hash);
    expect(await net.create()).toEqual(first);
    expect(await net.create()).toEqual(first);
    net.daemon.chain.addFee(100_000n);
    net.clock.advance(60_001);
    const third = await net.create();
    expect(third.coinbasevalue).toBe(50_0020_0000);
    expect(await net.create()).toEqual(first);
    expect(await net.submit(second.hash)).toBe(true);
    expect(await net.confirmations(second.hash)).toBe(1);
  });

  test("without new transactions nothing is refreshed", async () => {
    const net = namecoin();
    const first = await net.create();
    net.clock.advance(600_000);
    expect(await net.create()).toEqual(first);
  });

  test("they are dropped only when a create call sees the new tip", async () => {
    const net = namecoin();
    const old = await net.create();
    net.daemon.mineForeignBlock();
    expect(await net.submit(old.hash)).toBe(true);
    expect(await net.confirmations(old.hash)).toBe(-1);
    const fresh = await net.create();
    expect(fresh).toMatchObject({ height: old.height + 1, previousblockhash: net.daemon.chain.tip.key });
    await expect(net.submit(old.hash)).rejects.toMatchObject({ code: -8, message: "block hash unknown" });
    expect(await net.submit(fresh.hash)).toBe(true);
  });

  test("every address has its own", async () => {
    const net = namecoin();
    const one = await net.create();
    const other = await net.create("msTHUZmDNkrQkN7igdMth9jC7LAuCtRfWs");
    expect(other.hash).not.toBe(one.hash);
    expect(await net.create()).toEqual(one);
  });

  test("a chain of 15 blocks has none", async () => {
    await expect(namecoin({ initialBlocks: 15 }).create()).rejects.toMatchObject({
      code: -1,
      message: "TestBlockValidity failed: bad-cb-length",
    });
    expect(await namecoin({ initialBlocks: 16 }).create()).toMatchObject({ height: 17 });
  });

  test("nBits set while running counts from the next template on", async () => {
    const net = namecoin();
    net.daemon.nBits = 0x1e00ffff;
    expect((await net.create()).bits).toBe("1e00ffff");
    const { hash } = await net.create();
    expect(await net.submit(hash)).toBe(false);
  });
});

describe("submissions", () => {
  test("true, true again for the same and for another proof, and one block", async () => {
    const net = namecoin();
    const { hash, height } = await net.create();
    expect(await net.submit(hash)).toBe(true);
    expect(await net.call("getblockcount")).toBe(height);
    expect(await net.submit(hash)).toBe(true);
    expect(await net.submit(hash, solve(hash, 100))).toBe(true);
    expect(await net.call("getblockcount")).toBe(height);
    expect(await net.confirmations(hash)).toBe(1);
  });

  test("true for a sibling of the tip, which has -1 confirmations and wins when another miner builds on it", async () => {
    const net = namecoin();
    const mine = await net.create();
    const sibling = await net.create("msTHUZmDNkrQkN7igdMth9jC7LAuCtRfWs");
    expect(await net.submit(mine.hash)).toBe(true);
    expect(await net.submit(sibling.hash)).toBe(true);
    expect(await net.confirmations(sibling.hash)).toBe(-1);
    expect(await net.call("getchaintips")).toEqual([
      expect.objectContaining({ hash: mine.hash, status: "active", branchlen: 0 }),
      expect.objectContaining({ hash: sibling.hash, status: "valid-headers", branchlen: 1 }),
    ]);
    net.daemon.mineForeignBlock(sibling.hash);
    expect(await net.confirmations(sibling.hash)).toBe(2);
    expect(await net.confirmations(mine.hash)).toBe(-1);
    expect(await net.call("getchaintips")).toContainEqual(
      expect.objectContaining({ hash: mine.hash, status: "valid-fork", branchlen: 1 }),
    );
  });

  test("a bad proof is false, with the reason in the log only, also for a block that is known", async () => {
    const net = namecoin();
    const { hash } = await net.create();
    const other = solve("11".repeat(32));
    expect(await net.submit(hash, other)).toBe(false);
    expect(net.log.lines).toContainEqual(
      expect.objectContaining({ level: "debug", message: expect.stringContaining("missing chain merkle root") }),
    );
    await net.submit(hash);
    expect(await net.submit(hash, other)).toBe(false);
  });

  test.each([
    ["nothing", "", "DataStream::read(): end of data: iostream error"],
    ["no hex", "zz", "DataStream::read(): end of data: iostream error"],
    ["a count that is too long", "02000000fd0100", "non-canonical ReadCompactSize(): iostream error"],
    ["a huge count", "02000000fe00000003", "ReadCompactSize(): size too large: iostream error"],
    ["an unknown flag", "02000000000200000000000000", "Unknown transaction optional data: iostream error"],
  ])("%s for a proof is error -1", async (_what, proof, message) => {
    const net = namecoin();
    const { hash } = await net.create();
    await expect(net.submit(hash, proof)).rejects.toMatchObject({ code: -1, message });
  });

  test("a wrong hash comes before a wrong proof", async () => {
    const net = namecoin();
    await expect(net.submit("00".repeat(32), "")).rejects.toMatchObject({ code: -8, message: "block hash unknown" });
    await expect(net.submit("00", "")).rejects.toMatchObject({ code: -8, message: "invalid block hash hex" });
  });

  test("getauxblock works both ways and keeps its address until a block paid to it", async () => {
    const net = namecoin();
    const work = (await net.call("getauxblock")) as { hash: string; height: number };
    expect(await net.call("getauxblock")).toEqual(work);
    expect(await net.call("getauxblock", work.hash, solve("22".repeat(32)))).toBe(false);
    expect(await net.call("getauxblock")).toEqual(work);
    expect(await net.call("getauxblock", work.hash, solve(work.hash))).toBe(true);
    expect(await net.confirmations(work.hash)).toBe(1);
    expect(await net.call("getauxblock")).toMatchObject({ height: work.height + 1 });
    await expect(net.call("getauxblock", work.hash)).rejects.toMatchObject({ code: -1 });
  });
});

describe("states of a real network", () => {
  test.each([
    ["without peers", { notConnected: true }, -9],
    ["in initial block download", { initialBlockDownload: true }, -10],
  ])("%s nothing is created nor submitted", async (_what, state, code) => {
    const net = namecoin();
    const { hash } = await net.create();
    Object.assign(net.daemon.disturbances, state);
    await expect(net.create()).rejects.toMatchObject({ code });
    await expect(net.submit(hash)).rejects.toMatchObject({ code });
    await expect(net.call("getauxblock")).rejects.toMatchObject({ code });
    expect(await net.call("getblockcount")).toBe(20);
    net.daemon.disturbances.clear();
    expect(await net.submit(hash)).toBe(true);
  });

  test("while it is loading every method says so", async () => {
    const net = namecoin();
    net.daemon.disturbances.loading = "Loading block index…";
    await expect(net.call("getblockcount")).rejects.toMatchObject({ code: -28, message: "Loading block index…" });
    await expect(net.create(NAMECOIN_ADDRESS)).rejects.toMatchObject({ code: -28 });
  });
});

describe("the chain", () => {
  test("a reorg takes blocks out, announces one tip, and gives their fees back", async () => {
    const net = namecoin();
    net.daemon.chain.addFee(5n);
    const { hash } = await net.create();
    await net.submit(hash);
    expect(net.daemon.chain.pending.size).toBe(0);
    const tips: string[] = [];
    net.daemon.chain.events.on("tip", ({ node }) => tips.push(node.key));
    const tip = net.daemon.reorg(1);
    expect(tips).toEqual([tip]);
    expect(await net.confirmations(hash)).toBe(-1);
    expect([...net.daemon.chain.pending.values()]).toEqual([5n]);
    expect(await net.call("getblockcount")).toBe(22);
    expect(await net.call("getblockhash", 22)).toBe(tip);
    expect(() => net.daemon.reorg(23)).toThrow(TypeError);
    expect(() => net.daemon.mineForeignBlock("00".repeat(32))).toThrow(TypeError);
  });

  test("waitfornewblock tells a block that came before the call, when asked so, and one that comes", async () => {
    const net = namecoin();
    const before = net.daemon.chain.tip.key;
    const waiting = net.call("waitfornewblock", 0);
    const next = net.daemon.mineForeignBlock();
    expect(await waiting).toEqual({ hash: next, height: 21 });
    expect(await net.call("waitfornewblock", 0, before)).toEqual({ hash: next, height: 21 });
    await expect(net.call("waitfornewblock", -1)).rejects.toMatchObject({ code: -1 });
  });

  test("coinbases halve, and pay the fees of what waited", async () => {
    const net = namecoin({ initialBlocks: 19, halvingInterval: 20 });
    expect((await net.create()).coinbasevalue).toBe(25_0000_0000);
    net.daemon.chain.addFee(7n);
    net.daemon.mineForeignBlock();
    expect(net.daemon.chain.tip.coinbase.outputs[0]?.value).toBe(25_0000_0007n);
  });
});
