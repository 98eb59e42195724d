/**
 * btcd as judge: blocks that miners find through our whole program, and blocks that are broken in every way. btcd shares no
 * code with Bitcoin Core nor with our embedded node, so what all three call right or wrong is.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Transaction } from "@scure/btc-signer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/app/system.ts";
import { scriptOfAddress } from "../../src/bitcoin/address.ts";
import { type BlockData, decodeBlock, withCoinbaseWitness } from "../../src/devnet/node/block-data.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { fromHex, toHex } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { blockConversation } from "../support/block-conversation.ts";
import { type Program, program, run } from "../support/program.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { Sv1Miner } from "../support/sv1-miner.ts";
import { Btcd } from "./foreign/btcd.ts";
import { foreign } from "./foreign/install.ts";
import { BTCD, MINING_DEVICE, TRANSLATOR } from "./foreign/pins.ts";
import { PAYOUT_ADDRESS } from "./foreign/pool.ts";
import { startTranslator } from "./foreign/translator.ts";

const binary = await foreign(BTCD);
const device = binary === undefined ? undefined : await foreign(MINING_DEVICE);
const translator = binary === undefined ? undefined : await foreign(TRANSLATOR);

const WAIT_MS = 120_000;
const PAYOUT_SCRIPT = toHex(scriptOfAddress(PAYOUT_ADDRESS, "regtest"));
/** The key of `PAYOUT_ADDRESS`, BIP173's example: one. */
const PAYOUT_KEY = Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : 0));

const transaction = z.object({
  txid: z.string(),
  hash: z.string(),
  hex: z.string(),
  vout: z.array(z.object({ value: z.number(), scriptPubKey: z.object({ hex: z.string() }) })),
});
const verboseBlock = z.object({
  height: z.number(),
  hash: z.string(),
  confirmations: z.number(),
  rawtx: z.array(transaction),
});

describe.skipIf(binary === undefined)("btcd with our program in front", () => {
  let folder: string;
  let btcd: Btcd;
  let server: Program;
  let pool: { readonly url: string; readonly host: string; readonly port: number; readonly authorityPublicKey: string };

  const until = async (check: () => Promise<boolean>, what: string): Promise<void> => {
    const end = performance.now() + WAIT_MS;
    while (!(await check())) {
      if (performance.now() > end)
        throw new Error(`${what} did not happen; our program said:\n${server.err.slice(-20).join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const blockAt = async (height: number): Promise<z.output<typeof verboseBlock>> =>
    verboseBlock.parse(await btcd.call("getblock", await btcd.call("getblockhash", height), 2));
  /** Spends the coinbase of a block of btcd's own to a new transaction with a witness. */
  const spend = async (height: number): Promise<string> => {
    const [coinbase] = (await blockAt(height)).rawtx;
    const tx = new Transaction();
    const witnessUtxo = { script: fromHex(PAYOUT_SCRIPT), amount: 5_000_000_000n };
    tx.addInput({ txid: coinbase?.txid ?? "", index: 0, witnessUtxo });
    tx.addOutput({ script: fromHex(PAYOUT_SCRIPT), amount: 4_999_990_000n });
    tx.sign(PAYOUT_KEY);
    tx.finalize();
    return z.string().parse(await btcd.call("sendrawtransaction", tx.hex));
  };
  /** The journal's files of the blocks that our program handed in; an answered block's is renamed. */
  const journal = (): string[] => {
    const blocks = join(folder, "data", "blocks");
    return readdirSync(blocks).map((name) => join(blocks, name));
  };
  /** The first block after `height`, which must be ours, found by `user` and deeper than nothing. */
  const expectOurs = async (height: number, user: string): Promise<z.output<typeof verboseBlock>> => {
    const block = await blockAt(height + 1);
    expect(block.confirmations).toBeGreaterThan(0);
    expect(block.rawtx[0]?.vout[0]?.scriptPubKey.hex).toBe(PAYOUT_SCRIPT);
    expect(Buffer.from(block.rawtx[0]?.hex ?? "", "hex").includes("/btcd-judged/")).toBe(true);
    const said = (words: string): boolean =>
      server.err.some((line) => line.includes(block.hash) && line.includes(words));
    await until(async () => said('"verdict":"accepted"'), `btcd's answer to ${block.hash}`);
    expect(said(user)).toBe(true);
    return block;
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "interop-btcd-program-"));
    btcd = await Btcd.start(binary ?? "");
    await btcd.call("generate", 110);
    writeFileSync(
      join(folder, "config.toml"),
      `[stratum_v2]
listen_addr = "127.0.0.1:0"
[bitcoin]
network = "regtest"
payout = "addr(${PAYOUT_ADDRESS})"
pool_tag = "/btcd-judged/"
[templates]
poll_s = 1
refresh_s = 1
[vardiff]
shares_per_minute = 60
[[bitcoind]]
name = "btcd"
${btcd.config}`,
    );
    server = program(["start", "-c", "config.toml", "--json"], { cwd: folder });
    const { url, listening, authorityPublicKey } = JSON.parse(
      await server.line((line) => line.includes('"listening"')),
    );
    const [host = "", port] = String(listening).split(":");
    pool = { url, host, port: Number(port), authorityPublicKey };
  });

  afterAll(async () => {
    server?.kill("SIGTERM");
    await server?.ended;
    await btcd?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  test.each([["standard"], ["extended"]] as const)(
    "a block with segwit transactions is found through a channel of kind %s",
    async (kind) => {
      const spent: string[] = [];
      for (const height of kind === "standard" ? [1, 2, 3] : [4, 5, 6]) spent.push(await spend(height));
      const before = await btcd.height();
      const user = `carol.${kind}`;
      const options = ["--json", "--user", user, ...(kind === "extended" ? ["--extended"] : [])];
      const miner = program(["mine", pool.url, ...options], { cwd: folder });
      // btcd makes a template for new transactions after a minute only, but one for every new block at once.
      await until(async () => (await btcd.height()) >= before + 2, "two blocks");
      miner.kill("SIGINT");
      expect(await miner.ended, miner.err.join("\n")).toBe(0);
      const blocks = [await expectOurs(before, user), await expectOurs(before + 1, user)];
      const full = blocks.find(({ rawtx }) => rawtx.length > 1);
      const ids = full?.rawtx.slice(1).map(({ txid }) => txid);
      expect(ids?.sort()).toEqual(spent.sort());
      expect(full?.rawtx.every(({ txid, hash }) => txid !== hash)).toBe(true);
      // 50 BTC and three times 10,000 sat.
      expect(full?.rawtx[0]?.vout[0]?.value).toBe(50.0003);
    },
  );

  test.skipIf(device === undefined)("a block is found by SRI's mining_device", async () => {
    const before = await btcd.height();
    const args = ["--address-pool", `${pool.host}:${pool.port}`, "--pubkey-pool", pool.authorityPublicKey];
    const miner = run(device ?? "", [...args, "--id-user", "dave.sri", "--cores", "1"]);
    await until(async () => (await btcd.height()) >= before + 3, "three blocks");
    miner.kill("SIGTERM");
    expect(await miner.ended, miner.out.slice(-5).join("\n")).toBe(-1);
    for (let i = 0; i < 3; i++) await expectOurs(before + i, "dave.sri");
  });

  test.skipIf(translator === undefined)("a block is found by an SV1 miner behind SRI's translator", async () => {
    const before = await btcd.height();
    const proxy = await startTranslator(translator ?? "", pool, { required: [2] });
    const miner = await Sv1Miner.connect(proxy.port, "rig.erin");
    const end = performance.now() + WAIT_MS;
    let found = false;
    const watch = until(async () => (await btcd.height()) > before, "a block").then(() => {
      found = true;
    });
    await Promise.all([watch, miner.mineUntil(() => found || performance.now() > end)]);
    await miner.close();
    await proxy.stop();
    await expectOurs(before, "farm.erin");
  });

  test("btcd refused none of them", async () => {
    await until(async () => journal().every((file) => file.endsWith(".done.json")), "answers to all blocks");
    const verdicts = journal().flatMap((file) => {
      const { answers } = z
        .object({ answers: z.array(z.object({ verdict: z.string(), reason: z.string() })) })
        .parse(JSON.parse(readFileSync(file, "utf8")));
      return answers.map(({ verdict, reason }) => `${verdict} ${reason}`);
    });
    console.info(`${verdicts.length} blocks: ${JSON.stringify(count(verdicts))}`);
    expect(verdicts.filter((verdict) => verdict.startsWith("rejected"))).toEqual([]);
    expect(verdicts.filter((verdict) => verdict.startsWith("accepted")).length).toBeGreaterThanOrEqual(2);
  });
});

/** What btcd says in prose, and the words of Bitcoin Core (BIP22) for it. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/already have block/, "duplicate"],
  [/higher than expected max of/, "high-hash"],
  [/block target difficulty of .* is (too low|higher than max)/, "high-hash"],
  [/block merkle root is invalid/, "bad-txnmrklroot"],
  [/block contains duplicate transaction/, "bad-txns-duplicate"],
  [/does not contain any transactions/, "bad-blk-length"],
  [/serialized block is too big/, "bad-blk-length"],
  [/first transaction in block is not a coinbase/, "bad-cb-missing"],
  [/block contains second coinbase/, "bad-cb-multiple"],
  [/coinbase transaction script length/, "bad-cb-length"],
  [/transaction has no outputs/, "bad-txns-vout-empty"],
  [/output has negative value/, "bad-txns-vout-negative"],
  [/output value is higher than max allowed/, "bad-txns-vout-toolarge"],
  [/total value of all transaction outputs/, "bad-txns-txouttotal-toolarge"],
  [/transaction contains duplicate inputs/, "bad-txns-inputs-duplicate"],
  [/refers to previous output that is null/, "bad-txns-prevout-null"],
  [/too many signature operations/, "bad-blk-sigops"],
  [/block difficulty of .* is not the expected value/, "bad-diffbits"],
  [/block timestamp of .* is not after expected/, "time-too-old"],
  [/block timestamp of .* is too far in the future/, "time-too-new"],
  [/new blocks with version .* are no longer valid/, "bad-version"],
  [/serialized block height is .* when/, "bad-cb-height"],
  [/does not minimally encode the height/, "bad-cb-height"],
  [/block contains unfinalized transaction/, "bad-txns-nonfinal"],
  [/input sequence locks are not met/, "bad-txns-nonfinal"],
  [/no witness commitment present/, "unexpected-witness"],
  [/witness nonce has .* bytes|items in its witness stack/, "bad-witness-nonce-size"],
  [/witness commitment does not match/, "bad-witness-merkle-match"],
  [/weight metric is too high/, "bad-blk-weight"],
  [/does not exist or has already been spent/, "bad-txns-inputs-missingorspent"],
  [/before required maturity/, "bad-txns-premature-spend-of-coinbase"],
  [/total value of all transaction inputs .* is less than the amount spent/, "bad-txns-in-belowout"],
  [/more than expected value of/, "bad-cb-amount"],
  [/is known to be invalid/, "bad-prevblk"],
];

/** Where btcd is known to answer otherwise. All three are manners of `submitblock`, not rules of what is valid. */
const OTHERWISE: Readonly<Record<string, string>> = {
  "a block with bytes behind it": "Block decode failed: block has 3 trailing bytes",
  // Bitcoin Core puts the missing witness in.
  "a commitment, and a coinbase without its witness": "bad-witness-nonce-size",
  // It tells what is wrong with the block below; Core says that the new one is not the best.
  "a block on it: the change of chains fails": "bad-cb-amount",
};

describe.skipIf(binary === undefined)("btcd and the embedded node", () => {
  let btcd: Btcd;
  const devnet = new DevnetNode(
    { clock: systemClock, random: seededRandom(1), log: silentLog },
    { transactions: { atLeast: 0 } },
  );
  const submit = async (block: Uint8Array): Promise<string | null> => {
    const answer = await btcd.call("submitblock", toHex(block)).catch((error) => String(error.data?.says ?? error));
    return answer === null ? null : String(answer);
  };

  beforeAll(async () => {
    btcd = await Btcd.start(binary ?? "");
    await devnet.start(new AbortController().signal);
    for (let height = 1; height <= devnet.chain.tip.height; height++) {
      expect(await submit(bytesOf(devnet.chain.at(height)?.data))).toBe(null);
    }
  });

  afterAll(async () => {
    await devnet.stop();
    await btcd?.stop();
  });

  test("agree about blocks that are right, and about blocks that break one rule each", async () => {
    const now = (): number => Math.floor(systemClock.nowMs() / 1000);
    const differences: unknown[] = [];
    let [accepted, refused] = [0, 0];
    for (const { name, block } of blockConversation(devnet, now)) {
      const said = await submit(block);
      const theirs = inCoresWords(said);
      const ours = devnet.chain.submit(withCoinbaseWitness(decodeBlock(block)));
      const wanted = OTHERWISE[name] ?? asBtcdCan(ours);
      if (name in OTHERWISE && ours === null) await submit(bytesOf(devnet.chain.tip.data));
      const sameTip = (await btcd.call("getbestblockhash")) === devnet.chain.tip.key;
      if (theirs !== wanted || !sameTip) differences.push({ name, ours, said, sameTip });
      if (!sameTip) break;
      if (ours === null) accepted += 1;
      else refused += 1;
    }
    console.info(`btcd and the embedded node: ${accepted} blocks accepted, ${refused} refused or put aside`);
    expect(differences).toEqual([]);
    expect(accepted).toBeGreaterThan(15);
    expect(refused).toBeGreaterThan(40);
  });

  test("agree about blocks full of synthetic transactions", async () => {
    const busy = new DevnetNode(
      { clock: systemClock, random: seededRandom(2), log: silentLog },
      { transactions: { atLeast: 40 }, peer: devnet },
    );
    busy.prepare();
    const from = busy.chain.tip.height;
    await busy.generate(12);
    for (let height = from + 1; height <= from + 12; height++) {
      const data = busy.chain.at(height)?.data;
      expect(data?.txs.length).toBeGreaterThan(1);
      expect(await submit(bytesOf(data))).toBe(null);
    }
    expect(await btcd.call("getbestblockhash")).toBe(busy.chain.tip.key);
    await busy.stop();
  });
});

/** The bytes of a block with fewer than 253 transactions. */
function bytesOf(data: BlockData | undefined): Uint8Array {
  if (data === undefined) throw new Error("no such block");
  const { headerBytes, rawTransactions } = data.block;
  return new Uint8Array(Buffer.concat([headerBytes, Buffer.of(rawTransactions.length), ...rawTransactions]));
}

/** Core's word for what btcd said; what is not in the table as it is. */
function inCoresWords(said: string | null): string | null {
  if (said === null) return null;
  return WORDS.find(([pattern]) => pattern.test(said))?.[1] ?? said;
}

/** Our verdict as btcd can say it: nothing of blocks that are put aside, one word for all that it knows, no facts behind. */
function asBtcdCan(ours: string | null): string | null {
  if (ours === null || ours === "inconclusive" || ours === "prev-blk-not-found") return null;
  return ours.replace("duplicate-invalid", "duplicate").replace(/\(.*/, "");
}

function count(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
