/** rskj's RPC of merge mining: its recorded answers, its work, the three ways to submit, uncles and what REMASC pays. */
import { describe, expect, test } from "vitest";
import { answerRskj } from "../../../../src/devnet/rsk/protocol.ts";
import { internal, parentBlock } from "../../../support/parent-block.ts";
import { ascii, pair, partialMerkle, rsk, taggedParent, tagScript } from "../../../support/rsk.ts";
import recorded from "../../../vectors/daemon-rpc.json" with { type: "json" };

const never = new AbortController().signal;
interface Exchange {
  readonly daemon: string;
  readonly note?: string;
  readonly request: { readonly method: string; readonly params: readonly unknown[] };
  readonly response: { readonly result?: unknown; readonly error?: unknown };
}
const ofRsk = (recorded.exchanges as unknown as readonly Exchange[]).filter(({ daemon }) => daemon.startsWith("RSK"));

type Net = ReturnType<typeof rsk>;
type Json = Readonly<Record<string, unknown>>;

const ask = async (net: Net, request: unknown, expected = 200): Promise<Json> => {
  const text = typeof request === "string" ? request : JSON.stringify(request);
  const { status, body } = await answerRskj(text, (method, params) => net.daemon.call(method, params), never);
  expect(status).toBe(expected);
  return JSON.parse(body) as Json;
};
const block = async (net: Net, which: string): Promise<Json> =>
  (await net.call("eth_getBlockByNumber", which, false)) as Json;

describe("recorded answers", () => {
  test.each(ofRsk.filter(({ response }) => response.error !== undefined))(
    "error: $request.method $note",
    async ({ request, response }) => {
      expect(await ask(rsk(), request)).toEqual(response);
    },
  );

  test.each(ofRsk.filter(({ response }) => response.error === undefined))(
    "fields of $request.method $note",
    async ({ request, response }) => {
      const net = rsk({ initialBlocks: 3 });
      const work = await net.work();
      await net.submit(partialMerkle(taggedParent(work)));
      const got = await ask(net, request);
      const kinds = (value: unknown): unknown =>
        typeof value === "object" && value !== null && !Array.isArray(value)
          ? Object.fromEntries(
              Object.entries(value)
                .map(([key, each]) => [key, typeof each])
                .sort(),
            )
          : typeof value;
      expect(kinds(got)).toEqual(kinds(response));
      expect(kinds(got.result)).toEqual(kinds(response.result));
    },
  );

  test("what differs from a fresh regtest is only hashes", async () => {
    const net = rsk({ initialBlocks: 4 });
    const [target, chainId, number] = ["mnr_getWork", "eth_chainId", "eth_blockNumber"].map(
      (method) => ofRsk.find(({ request }) => request.method === method)?.response.result,
    );
    const { blockHashForMergedMining, parentBlockHash, ...rest } = target as Json;
    expect(await net.work()).toMatchObject(rest);
    expect(await net.call("eth_chainId")).toBe(chainId);
    expect(await net.call("eth_blockNumber")).toBe(number);
  });

  test.each([
    ["no JSON", "{", 400, { id: "null", error: { code: -32700, message: "JSON parse error" } }],
    ["no object", "5", 400, { id: "null", error: { code: -32600, message: "invalid request" } }],
    ["no method", "{}", 200, { error: { code: -32601, message: "method not found" } }],
    [
      "named parameters",
      '{"method":"eth_chainId","params":{}}',
      400,
      { error: { code: -32602, message: "method parameters invalid" } },
    ],
    [
      "too few",
      '{"method":"eth_getBlockByHash"}',
      400,
      { error: { code: -32602, message: "method parameters invalid" } },
    ],
    [
      "a height in words",
      '{"method":"eth_getBlockByNumber","params":["one"]}',
      400,
      { error: { code: -32602, message: "Invalid block identifier 'one'" } },
    ],
  ])("%s is an error", async (_what, request, status, answer) => {
    expect(await ask(rsk(), request, status)).toMatchObject(answer);
  });

  test("a batch is answered in its order", async () => {
    const batch = [
      { id: 1, method: "eth_chainId" },
      { id: 2, method: "nope" },
    ];
    expect(await ask(rsk(), batch)).toMatchObject([
      { id: 1, result: "0x21" },
      { id: 2, error: { code: -32601 } },
    ]);
  });
});

describe("work", () => {
  test("the flag is there for the first that reads it, again on a new head, and when fees rise by more than a tenth", async () => {
    const net = rsk();
    const first = await net.work();
    expect(first.notify).toBe(true);
    expect(await net.work()).toEqual({ ...first, notify: false });
    net.daemon.refreshWork();
    expect((await net.work()).notify).toBe(false);
    net.daemon.addTransaction(1000n);
    net.daemon.refreshWork();
    expect(await net.work()).toMatchObject({ notify: true, feesPaidToMiner: "1000" });
    net.daemon.addTransaction(100n);
    net.daemon.refreshWork();
    expect(await net.work()).toMatchObject({ notify: false, feesPaidToMiner: "1100" });
    net.daemon.mineForeignBlock();
    expect(await net.work()).toMatchObject({ notify: true, feesPaidToMiner: "0" });
  });

  test("small fees are no reason to notify when a least amount is set", async () => {
    const net = rsk({ minFeesNotify: 5000n });
    await net.work();
    for (const [fee, notify] of [
      [4999n, false],
      [1n, true],
    ] as const) {
      net.daemon.addTransaction(fee);
      net.daemon.refreshWork();
      expect((await net.work()).notify).toBe(notify);
    }
  });

  test("a transaction makes new work at once only when the node is set so", async () => {
    for (const workOnTransaction of [false, true]) {
      const net = rsk({ workOnTransaction, feeWei: 7n });
      net.daemon.addTransaction();
      expect((await net.work()).feesPaidToMiner).toBe(workOnTransaction ? "7" : "0");
    }
  });

  test("target, parent, and the height in the hash's last bytes", async () => {
    const net = rsk({ difficulty: 1000 });
    const work = await net.work();
    expect(BigInt(work.target)).toBe(2n ** 256n / 1000n);
    expect(work.parentBlockHash).toBe(net.daemon.chain.tip.hash);
    expect(Number.parseInt(work.blockHashForMergedMining.slice(-8), 16)).toBe(501);
    net.daemon.difficulty = 2000;
    net.daemon.refreshWork();
    expect(BigInt((await net.work()).target)).toBe(2n ** 256n / 2000n);
    expect(() => {
      net.daemon.difficulty = 0;
    }).toThrow(TypeError);
  });

  test("solutions are taken for the last 20 works", async () => {
    const net = rsk();
    const works = [await net.work()];
    for (let i = 0; i < 20; i++) {
      net.daemon.addTransaction();
      net.daemon.refreshWork();
      works.push(await net.work());
    }
    const hash = works[0]!.blockHashForMergedMining;
    await expect(net.submit(partialMerkle(taggedParent(works[0]!)))).rejects.toMatchObject({
      code: -33000,
      message: `Cannot publish block, could not find hash ${hash} in the cache`,
    });
    expect(ascii((await net.submit(partialMerkle(taggedParent(works[1]!)))).blockImportedResult)).toBe("IMPORTED_BEST");
  });

  test("none while the node catches up, and it says so", async () => {
    const net = rsk();
    net.daemon.disturbances.syncing = true;
    expect(await net.work()).toBeNull();
    expect(await net.call("eth_syncing")).toMatchObject({ currentBlock: "0x1f4" });
    net.daemon.disturbances.clear();
    expect(await net.call("eth_syncing")).toBe(false);
  });
});

describe("submissions", () => {
  test("three ways, each the only one to get its byte order right", async () => {
    const siblings = [11, 22, 33].map((byte) => internal(`${byte}`.padEnd(64, "0")));
    const branch = [siblings[0]!, pair(siblings[1]!, siblings[2]!)];
    const net = rsk();
    const parent = taggedParent(await net.work(), { branch });
    const display = (hash: Uint8Array): string => Buffer.from(hash).reverse().toString("hex");
    const [, header, coinbase] = partialMerkle(parent);
    const ids = [parent.txid, ...siblings];
    const wrong = ids.map((id) => id.toString("hex")).join(" ");
    const right = ids.map(display).join(" ");
    const submitAll = (list: string) => net.call("mnr_submitBitcoinBlockTransactions", "", header, coinbase, list);
    await expect(submitAll(wrong)).rejects.toMatchObject({
      code: -33000,
      message: /^Invalid block supplied by miner: /,
    });
    expect(await submitAll(right)).toMatchObject({ blockIncludedHeight: "0x1f5" });
    expect(ascii((await net.submit(partialMerkle(parent))).blockImportedResult)).toBe("EXIST");

    const next = taggedParent(await net.work());
    const whole = `${next.header.toString("hex")}01${next.coinbase.toString("hex")}`;
    expect(await net.call("mnr_submitBitcoinBlock", whole)).toMatchObject({ blockIncludedHeight: "0x1f6" });
  });

  test("the answer names the block, which the chain then has", async () => {
    const net = rsk();
    const work = await net.work();
    const { blockHash, blockIncludedHeight } = await net.submit(partialMerkle(taggedParent(work)));
    expect(blockHash).not.toBe(work.blockHashForMergedMining);
    expect(await block(net, blockIncludedHeight)).toMatchObject({
      hash: blockHash,
      hashForMergedMining: work.blockHashForMergedMining,
      parentHash: work.parentBlockHash,
    });
    expect(await net.call("eth_getBlockByHash", blockHash.toUpperCase().replace("0X", "0x"))).toMatchObject({
      number: blockIncludedHeight,
    });
  });

  test("the work is the one that the last tag names", async () => {
    const net = rsk();
    const old = await net.work();
    net.daemon.addTransaction();
    net.daemon.refreshWork();
    const work = await net.work();
    const outputs = [tagScript(old.blockHashForMergedMining), tagScript(work.blockHashForMergedMining)];
    const { blockHash } = await net.submit(partialMerkle(taggedParent(work, { outputs })));
    expect(await net.call("eth_getBlockByHash", blockHash)).toMatchObject({
      hashForMergedMining: work.blockHashForMergedMining,
    });
  });

  test("bad ones are refused with a reason, in order", async () => {
    const net = rsk();
    const work = await net.work();
    const params = partialMerkle(taggedParent(work));
    const withParam = (index: number, value: string): string[] => params.with(index, value);
    const refused = async (submission: readonly string[], code: number, message: RegExp | string): Promise<void> => {
      await expect(net.submit(submission)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    };
    await refused(withParam(3, ""), -33000, /^The list of merkle hashes can't be empty$/);
    await refused(
      partialMerkle(taggedParent(work, { weak: true })),
      -33000,
      /^Invalid block supplied by miner: \w{6} \w{6} at height 501\. Hash: \w{6}$/,
    );
    await refused(withParam(3, `${"00".repeat(32)} ${"00".repeat(32)}`), -33000, /^Invalid block/);
    // The tag is missing: the bytes from the ninth on are looked up.
    const untagged = parentBlock({ scriptSig: Buffer.alloc(10, 0x22), target: BigInt(work.target) });
    const looked = untagged.coinbase.subarray(8, 40).toString("hex");
    await refused(partialMerkle(untagged), -33000, `could not find hash 0x${looked} in the cache`);
    const internalError = async (submission: readonly string[]): Promise<void> => {
      const request = { id: 1, method: "mnr_submitBitcoinBlockPartialMerkle", params: submission };
      expect(await ask(net, request)).toMatchObject({ error: { code: -32603, message: "Internal server error" } });
    };
    const outputs = [tagScript(work.blockHashForMergedMining), Buffer.alloc(116)];
    await refused(partialMerkle(taggedParent(work, { outputs })), -33000, /^Invalid block/);
    await internalError(withParam(1, "00"));
    await internalError(withParam(1, `0x${params[1]}`));
    await internalError(withParam(2, "zz"));
    await internalError(withParam(3, "00"));
    await internalError(withParam(4, "ten"));
    expect(ascii((await net.submit(params)).blockImportedResult)).toBe("IMPORTED_BEST");
  });

  test("a coinbase with witness is another transaction", async () => {
    const net = rsk();
    const parent = taggedParent(await net.work());
    const params = partialMerkle(parent).with(2, parent.coinbaseWithWitness.toString("hex"));
    await expect(net.submit(params)).rejects.toMatchObject({ code: -33000, message: /^Invalid block/ });
  });

  test("the limit of rate counts every submission, before it is looked at", async () => {
    const net = rsk({ rateLimitMs: 1000 });
    const work = await net.work();
    const params = partialMerkle(taggedParent(work));
    expect(await net.submit(params)).toBeDefined();
    await expect(net.submit(params)).rejects.toMatchObject({
      code: -33000,
      message: "Cannot publish block, block submission rate limit exceeded",
    });
    net.clock.advance(1000);
    expect(ascii((await net.submit(params)).blockImportedResult)).toBe("EXIST");
  });

  test.each(["NO_PARENT", "INVALID_BLOCK", "CONSENSUS_BREAK"] as const)(
    "the import can end with %s",
    async (result) => {
      const net = rsk();
      net.daemon.disturbances.importResult = result;
      const submitted = await net.submit(partialMerkle(taggedParent(await net.work())));
      expect(ascii(submitted.blockImportedResult)).toBe(result);
      expect(await net.call("eth_blockNumber")).toBe("0x1f4");
    },
  );
});

describe("uncles and rewards", () => {
  test("two solutions of one work are two blocks; the later one is an uncle of the next", async () => {
    const net = rsk();
    const work = await net.work();
    const best = await net.submit(partialMerkle(taggedParent(work)));
    const late = await net.submit(partialMerkle(taggedParent(work, { firstNonce: 1000 })));
    expect(ascii(late.blockImportedResult)).toBe("IMPORTED_NOT_BEST");
    expect(late.blockHash).not.toBe(best.blockHash);
    expect(await net.call("eth_getUncleCountByBlockNumber", "latest")).toBe("0x0");
    net.daemon.mineForeignBlock();
    expect((await block(net, "latest")).uncles).toEqual([late.blockHash]);
    expect(await net.call("eth_getUncleCountByBlockNumber", "latest")).toBe("0x1");
    expect(await net.call("eth_getUncleByBlockNumberAndIndex", "latest", "0x0")).toMatchObject({
      hash: late.blockHash,
      number: late.blockIncludedHeight,
      hashForMergedMining: work.blockHashForMergedMining,
    });
    expect(await net.call("eth_getUncleByBlockNumberAndIndex", "latest", "0x1")).toBeNull();
    net.daemon.mineForeignBlock();
    expect((await block(net, "latest")).uncles).toEqual([]);
  });

  test("a block that comes seven blocks late is still named, one that comes later is not", async () => {
    for (const [late, named] of [
      [6, 1],
      [7, 0],
    ] as const) {
      const net = rsk();
      const params = partialMerkle(taggedParent(await net.work()));
      for (let i = 0; i <= late; i++) net.daemon.mineForeignBlock();
      expect(ascii((await net.submit(params)).blockImportedResult)).toBe("IMPORTED_NOT_BEST");
      net.daemon.mineForeignBlock();
      expect((await block(net, "latest")).uncles).toHaveLength(named);
    }
  });

  test("REMASC pays after the maturity, the block's miner last, and uncles and who named them before", async () => {
    const net = rsk({ maturity: 3 });
    net.daemon.addTransaction(1_000_000n);
    net.daemon.refreshWork();
    const work = await net.work();
    const best = await net.submit(partialMerkle(taggedParent(work)));
    await net.submit(partialMerkle(taggedParent(work, { firstNonce: 1000 })));
    for (let i = 0; i < 3; i++) net.daemon.mineForeignBlock();
    const paying = await block(net, "latest");
    const [remasc] = paying.transactions as string[];
    const receipt = (await net.call("eth_getTransactionReceipt", remasc)) as {
      logs: { address: string; topics: string[]; data: string }[];
    };
    const wei = (text: string): bigint => BigInt(`0x${text.slice(2 + 2 * 35)}`);
    // 20 % to RSK Labs, 1 % of the rest to the federation, 10 % of that rest for naming, the rest in halves.
    expect(receipt.logs.map(({ data }) => wei(data))).toEqual([200_000n, 8_000n, 79_200n, 356_400n, 356_400n]);
    const mine = (await block(net, best.blockIncludedHeight)).miner as string;
    expect(receipt.logs.at(-1)?.topics[1]).toContain(mine.slice(2));
    expect(receipt.logs.every(({ data }) => data.includes(best.blockHash.slice(2)))).toBe(true);
    expect(await net.call("eth_getTransactionReceipt", `0x${"00".repeat(32)}`)).toBeNull();
  });

  test("a reorg replaces blocks, which become uncles, and announces one head", async () => {
    const net = rsk();
    net.daemon.mineForeignBlock();
    const { blockHash } = await net.submit(partialMerkle(taggedParent(await net.work())));
    const heads: string[] = [];
    net.daemon.chain.events.on("tip", ({ node }) => heads.push(node.hash));
    const head = net.daemon.reorg(2);
    expect(heads).toEqual([head]);
    expect(await block(net, "latest")).toMatchObject({ hash: head });
    expect(net.daemon.chain.isActive(net.daemon.chain.find(blockHash)!)).toBe(false);
    expect((await net.work()).parentBlockHash).toBe(head);
    expect(() => net.daemon.reorg(1000)).toThrow(TypeError);
    expect(() => net.daemon.mineForeignBlock("0x00")).toThrow(TypeError);
  });
});
